package scenarios

import (
	"fmt"
	"math"
	"strings"

	"github.com/myriad-iot/myriad/scenarios/words"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// phase is a named part of the timeline.
type phase struct {
	name   string
	open   bool
	closed bool // by the story, rather than by the end of the run
}

// rateChange is an act whose ramps are still in messages a second. They become multiples of the nominal
// rate when it is known which fleets connect.
type rateChange struct {
	at    place
	act   int
	ramps []rawRamp
}

// rawRamp goes from one rate to another; without from it begins where the last ramp ended.
type rawRamp struct {
	from *float64
	to   float64
	over sim.Duration
	via  curve
	file []sim.Duration // quantiles of a following curve
}

// pending says, of services or fleets by name, until when something goes on that a step began meanwhile.
type pending map[string]moment

// moment is a point of the timeline: segments follow one another, and nobody knows how long they take.
type moment struct {
	segment int
	at      sim.Duration // since the segment's start
}

// until notes that something goes on for so long after a moment.
func (p *pending) until(name string, segment int, at sim.Duration) {
	if *p == nil {
		*p = make(pending)
	}
	if have := (*p)[name]; have.segment != segment || have.at < at {
		(*p)[name] = moment{segment, at}
	}
}

// left is for how much longer it goes on; 0: no longer.
func (p pending) left(name string, segment int, now sim.Duration) sim.Duration {
	if m, ok := p[name]; ok && m.segment == segment {
		return max(0, m.at-now)
	}
	return 0
}

// later has what goes on at a moment go on in the next segment, which may begin at once.
func (p pending) later(segment int, now sim.Duration) {
	for name := range p {
		p[name] = moment{segment + 1, p.left(name, segment, now)}
	}
}

// meanwhile ends a sentence about something that lasts, and that the next step does not wait for.
const meanwhile = " meanwhile"

// act puts an act on the timeline at the current time and adds its hold to that time.
func (c *compiler) act(a sim.Act) int {
	if strings.HasSuffix(c.step.Text, meanwhile) {
		a.Hold = 0
	}
	if a.Kind == sim.ActSettle {
		c.broken.later(c.segment, c.elapsed)
		c.absent.later(c.segment, c.elapsed)
	}
	a.Segment, a.At = c.segment, c.elapsed
	a.Origin, a.Text = c.origin(), c.step.Text
	c.plan.Acts = append(c.plan.Acts, a)
	c.elapsed += a.Hold
	if a.Kind == sim.ActSettle {
		c.segment, c.elapsed = c.segment+1, 0
	}
	i := len(c.plan.Acts) - 1
	c.step.Act = i
	return i
}

// recordable refuses a timeline that is longer than what a run records.
func (c *compiler) recordable() error {
	if total := c.plan.Duration(); c.step.Kind == When && total.D() > ledger.LongestRun {
		return wrong("at most "+words.PrintDuration(ledger.LongestRun), "the timeline takes %s up to here, which is longer than a run records",
			words.PrintDuration(total.D()))
	}
	return nil
}

// positive refuses a duration of 0s.
func positive(d sim.Duration) error {
	if d <= 0 {
		return surely(wrong("write 250ms, 5m or 1m30s", "the duration must be longer than 0s"))
	}
	return nil
}

// phase finds a phase that a When has opened.
func (c *compiler) phase(name string) (*phase, error) {
	var names []string
	for _, p := range c.phases {
		if p.name == name {
			return p, nil
		}
		names = append(names, p.name)
	}
	if len(names) == 0 {
		return nil, nameless(name, fmt.Sprintf("write `When phase %q runs for 1m` before", name), "there is no phase %q", name)
	}
	return nil, nameless(name, known(name, "phase", names), "unknown phase %q", name)
}

// open opens a phase that is new.
func (c *compiler) open(name string) (*phase, error) {
	if name == "" {
		return nil, wrong(`write for example phase "steady"`, "the phase has no name")
	}
	for _, p := range c.phases {
		if p.name == name {
			return nil, wrong("give each phase its own name", "the story has two phases %q", name)
		}
	}
	p := &phase{name: name, open: true}
	c.phases = append(c.phases, p)
	return p, nil
}

// finishTimeline turns rates into multiples and checks what only the whole timeline shows.
func (c *compiler) finishTimeline() error {
	var nominal float64
	fastest := math.Inf(1) // the largest factor at which no device reports more often than every millisecond
	for _, f := range c.fleets {
		if f.connected && f.publishes() {
			nominal += f.nominal()
			fastest = min(fastest, f.fastest()*1000)
		}
	}
	rate := nominal
	for _, l := range c.loads {
		var ramps []sim.Ramp
		for _, r := range l.ramps {
			from := rate
			if r.from != nil {
				from = *r.from
			}
			if top := max(from, r.to); top > nominal*fastest {
				return wrongAt(l.at, fmt.Sprintf("at most %s/s", trim(nominal*fastest)),
					"at %s/s a device would report more often than every 1ms", trim(top))
			}
			ramps = append(ramps, r.split(from/nominal, r.to/nominal)...)
			rate = r.to
		}
		c.plan.Acts[l.act].Load = ramps
	}
	if w := c.plan.WarmUp; w > 0 && w >= c.plan.Duration() {
		return wrongAt(c.warmUpAt, "the timeline takes "+words.PrintDuration(c.plan.Duration().D()), "the warm-up is as long as the run")
	}
	return c.checkSearch()
}

// split is the ramp as pieces; only a following curve has more than one.
func (r *rawRamp) split(from, to float64) []sim.Ramp {
	if r.via.shape != sim.CurveFollowing {
		return []sim.Ramp{{From: from, To: to, Over: r.over, Curve: r.via.shape}}
	}
	// The quantiles give the moment of each equal part of the way.
	var ramps []sim.Ramp
	n := len(r.file) - 1
	at := func(i int) float64 { return from + (to-from)*float64(i)/float64(n) }
	if lead := r.file[0]; lead > 0 {
		ramps = append(ramps, sim.Ramp{From: from, To: from, Over: lead, Curve: sim.CurveEvenly})
	}
	for i := range n {
		if over := r.file[i+1] - r.file[i]; over > 0 || i == n-1 {
			ramps = append(ramps, sim.Ramp{From: at(i), To: at(i + 1), Over: over, Curve: sim.CurveEvenly})
		}
	}
	if rest := r.over - r.file[n]; rest > 0 {
		ramps = append(ramps, sim.Ramp{From: to, To: to, Over: rest, Curve: sim.CurveEvenly})
	}
	return ramps
}
