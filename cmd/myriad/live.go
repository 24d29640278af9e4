package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/render"
	"github.com/myriad-iot/myriad/scenarios"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/pace"
)

// plainEvery is how often a line is printed where no terminal is.
const plainEvery = 5

// recentSeconds is what "now" means in the live display.
const recentSeconds = 3

// live shows a story under way: a block that is redrawn on a terminal, a line every few seconds
// elsewhere, nothing when quiet. Its methods may be called from any goroutine.
type live struct {
	w        io.Writer
	terminal bool
	quiet    bool
	story    *scenarios.Story

	mu    sync.Mutex
	drawn bool
	phase string
	until sim.Instant // when the phase is over that runs for a time; 0 is open
	block string      // as it was drawn last
	load  pace.Load
	next  sim.Instant // of the next plain line
}

func newLive(w io.Writer, terminal, quiet bool, story *scenarios.Story) *live {
	l := &live{w: w, terminal: terminal, quiet: quiet, story: story, next: plainEvery * time.Second}
	if !quiet {
		p := &story.Plan
		fmt.Fprintf(w, "%s:%d  %s\n  %s devices, about %s, seed %d, plan %s\n", p.Story.URI, p.Story.Line, p.Story.Name,
			render.Count(p.Devices()), p.Duration().D().Round(time.Second), p.Seed, p.Hash()[:12])
	}
	return l
}

// event notes phases and shows what else happened.
func (l *live) event(e reports.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch sim.ActKind(e.Kind) {
	case sim.ActPhaseStart, sim.ActPhaseRun, sim.ActPhaseEnd:
		l.phase, l.until = "", 0
		if a := actOf(l.story, &e); a != nil && a.Kind != sim.ActPhaseEnd {
			l.phase = a.Phase
			if a.Kind == sim.ActPhaseRun {
				l.until = e.At + a.Hold.D()
			}
		}
	case sim.ActLoad:
		if a := actOf(l.story, &e); a != nil {
			l.load = l.load.With(e.At, a.Load)
		}
	}
	if l.quiet || e.Kind == "timeline-end" {
		return
	}
	drawn := l.drawn
	l.wipe()
	fmt.Fprintf(l.w, "  %6.1fs  %s\n", e.At.Seconds(), e.Text)
	if drawn {
		l.draw()
	}
}

// actOf is the act that the event tells of.
func actOf(s *scenarios.Story, e *reports.Event) *sim.Act {
	for i := range s.Plan.Acts {
		if a := &s.Plan.Acts[i]; a.Origin == e.Origin && a.Text == e.Text && string(a.Kind) == e.Kind {
			return a
		}
	}
	return nil
}

// tick shows the state at the instant.
func (l *live) tick(at sim.Instant, s *rehearsed) {
	if l.quiet {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.terminal && at < l.next {
		return
	}
	l.next = at - at%(plainEvery*time.Second) + plainEvery*time.Second
	state := l.state(at, s)
	if !l.terminal {
		fmt.Fprint(l.w, "  "+render.LiveLine(state))
		return
	}
	l.wipe()
	l.block = render.LiveBlock(state, render.TextOptions{Color: os.Getenv("NO_COLOR") == ""})
	l.draw()
}

func (l *live) draw() {
	fmt.Fprint(l.w, l.block)
	l.drawn = true
}

// state reads the fold's last seconds and the devices' gauges.
func (l *live) state(at sim.Instant, s *rehearsed) render.State {
	p := &l.story.Plan
	if l.until > 0 && at > l.until {
		l.phase, l.until = "", 0
	}
	state := render.State{
		Story: p.Story.Name, Phase: l.phase, Elapsed: at, Planned: p.Duration().D(), Devices: int64(p.Devices()),
	}
	crew := s.crew.State()
	for i := range p.Fleets {
		state.Connected += crew.Fleets[i].Connected
		state.Target += p.Fleets[i].Rate() * l.load.Factor(at)
	}
	now := max(0, int(at/time.Second)-1) // the second before is on its way here
	s.mu.Lock()
	if told := s.fold.Told(); told < now { // workers that are busy tell later
		now, state.Behind = told, at-sim.Instant(told)*time.Second
	}
	frames := s.fold.Frames(max(0, now-recentSeconds), now)
	state.Errors, state.LastError = s.fold.Failures()
	s.mu.Unlock()
	span := float64(min(recentSeconds, max(1, now)))
	for _, f := range frames {
		state.Rate += float64(f.Sent) / span
		state.LagP99 = max(state.LagP99, f.Lag.P99)
		if q, ok := f.Latency[sim.OpPublish.String()]; ok && q.Count > 0 {
			state.Latency.Op = sim.OpPublish.String()
			state.Latency.Count += q.Count
			state.Latency.P50 = max(state.Latency.P50, q.P50)
			state.Latency.P99 = max(state.Latency.P99, q.P99)
		}
	}
	return state
}

// clear removes the block, for what is printed next.
func (l *live) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wipe()
}

func (l *live) wipe() {
	if l.drawn {
		fmt.Fprint(l.w, render.LiveRedraw, "\x1b[J")
		l.drawn = false
	}
}
