package rehearsal

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
	"github.com/myriad-iot/myriad/sim/fleet"
	"github.com/myriad-iot/myriad/sim/hist"
	"github.com/myriad-iot/myriad/sim/ledger"
	"github.com/myriad-iot/myriad/sim/pace"
)

// plainEvery is how often a line is printed where no terminal is.
const plainEvery = 5

// recentSeconds is what "now" means in the live display.
const recentSeconds = 3

// Display is where stories are shown while they run.
type Display struct {
	W        io.Writer
	Terminal bool // W can be redrawn: a block, else a line every few seconds
	Quiet    bool // nothing is shown

	Width func() int // columns of the terminal now, 0 if unknown; nil: unknown
}

// say prints a line, unless nothing is shown.
func (d *Display) say(text string) {
	if !d.Quiet {
		fmt.Fprintln(d.W, " ", text)
	}
}

// live shows a story under way: a block that is redrawn on a terminal, a line every few seconds
// elsewhere, nothing when quiet. Its methods may be called from any goroutine.
type live struct {
	*Display
	story *scenarios.Story

	mu    sync.Mutex
	drawn bool
	phase string
	until sim.Instant // when the phase is over that runs for a time; 0 is open
	block string      // as it was drawn last
	load  pace.Load
	every sim.Instant // between plain lines
	next  sim.Instant // of the next plain line
}

// shown is what a live display reads of a story under way.
type shown interface {
	devices() fleet.State
	folded(read func(*reports.Fold))
}

func newLive(d *Display, story *scenarios.Story) *live {
	l := &live{Display: d, story: story, every: plainEvery * time.Second, next: plainEvery * time.Second}
	if !l.Quiet {
		p := &story.Plan
		of := ""
		if inVirtualTime(p) {
			of = " of virtual time"
		}
		fmt.Fprintf(l.W, "%s:%d  %s\n  %s devices, about %s%s, seed %d, plan %s\n", p.Story.URI, p.Story.Line, p.Story.Name,
			render.Count(p.Devices()), p.Duration().D().Round(time.Second), of, p.Seed, p.Hash()[:12])
	}
	return l
}

// event notes phases and shows what else happened.
func (l *live) event(e ledger.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a, _ := e.ActBegun(&l.story.Plan); a != nil {
		switch a.Kind {
		case sim.ActPhaseStart:
			l.phase, l.until = a.Phase, 0
		case sim.ActPhaseRun:
			l.phase, l.until = a.Phase, e.At+a.Hold.D()
		case sim.ActPhaseEnd:
			l.phase, l.until = "", 0
		case sim.ActLoad:
			l.load = l.load.With(e.At, a.Load)
		case sim.ActConnect, sim.ActOffline, sim.ActComeBack, sim.ActTask, sim.ActSettle, sim.ActWait,
			sim.ActFault: // shown as a line, and no more
		}
	}
	if l.Quiet || e.Kind == ledger.EventTimelineEnd {
		return
	}
	drawn := l.drawn
	l.wipe()
	if e.At >= time.Hour {
		at := e.At.Round(time.Second)
		fmt.Fprintf(l.W, "  %3d:%02d:%02d  %s\n", int(at.Hours()), int(at.Minutes())%60, int(at.Seconds())%60, e.Text)
	} else {
		fmt.Fprintf(l.W, "  %6.1fs  %s\n", e.At.Seconds(), e.Text)
	}
	if drawn {
		l.draw()
	}
}

// tick shows the state at the instant.
func (l *live) tick(at sim.Instant, s shown) {
	if l.Quiet {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.Terminal && at < l.next {
		return
	}
	l.next = at - at%l.every + l.every
	state := l.state(at, s)
	if !l.Terminal {
		fmt.Fprint(l.W, "  "+render.LiveLine(state))
		return
	}
	l.wipe()
	l.block = render.LiveBlock(state, l.options())
	l.draw()
}

// options fit the block into the terminal as it is now: a line that wraps would be left over when it is redrawn.
func (d *Display) options() render.TextOptions {
	o := render.TextOptions{Color: os.Getenv("NO_COLOR") == ""}
	if d.Width != nil {
		o.Width = d.Width()
	}
	return o
}

func (l *live) draw() {
	fmt.Fprint(l.W, l.block)
	l.drawn = true
}

// state reads the fold's last seconds and the devices' gauges.
func (l *live) state(at sim.Instant, s shown) render.State {
	p := &l.story.Plan
	state := render.State{
		Story: p.Story.Name, Phase: l.during(at), Elapsed: at, Planned: p.Duration().D(), Devices: int64(p.Devices()),
	}
	crew := s.devices()
	for i := range p.Fleets {
		state.Connected += crew.Fleets[i].Connected
		state.Target += p.Fleets[i].Rate() * l.load.Factor(at)
	}
	now := max(0, int(at/time.Second)-1) // the second before is on its way here
	var frames []reports.Frame
	s.folded(func(f *reports.Fold) {
		if told := f.Told(); told < now { // workers that are busy tell later
			now, state.Behind = told, at-sim.Instant(told)*time.Second
		}
		frames = f.Frames(max(0, now-recentSeconds), now)
		state.Errors, state.LastError = f.Failures()
		if h := f.Responses(sim.OpPublish, max(0, now-recentSeconds), now, reports.AllFleets); h.Total() > 0 {
			state.Latency = render.Recent{Op: sim.OpPublish.String(), Count: int64(h.Total()),
				P50: h.Quantile(hist.Coarse(), 0.5), P99: h.Quantile(hist.Coarse(), 0.99)}
		}
	})
	span := float64(min(recentSeconds, max(1, now)))
	for _, f := range frames {
		state.Rate += float64(f.Sent) / span
		state.LagP99 = max(state.LagP99, f.Lag.P99)
	}
	return state
}

// during is the phase at the instant; "" outside of all. The caller holds the lock.
func (l *live) during(at sim.Instant) string {
	if l.until > 0 && at > l.until {
		l.phase, l.until = "", 0
	}
	return l.phase
}

// phaseAt is during for who does not hold the lock.
func (l *live) phaseAt(at sim.Instant) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.during(at)
}

// clear removes the block, for what is printed next.
func (l *live) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wipe()
}

func (l *live) wipe() {
	if l.drawn {
		fmt.Fprint(l.W, render.LiveRedraw, "\x1b[J")
		l.drawn = false
	}
}
