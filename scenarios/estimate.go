package scenarios

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/myriad-iot/myriad/scenarios/targets"
	"github.com/myriad-iot/myriad/scenarios/words"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/fault"
	"github.com/myriad-iot/myriad/sim/hist"
	"github.com/myriad-iot/myriad/sim/pace"
)

// estimate is the number of samples to expect from the timeline, at the counts of this run. It is a lower
// bound: what is uncertain counts as nothing, for example waiting until everything is settled takes no time.
type estimate struct {
	load     pace.Load
	end      time.Duration
	begins   map[string]time.Duration // of phases
	ends     map[string]time.Duration
	fault    time.Duration // end of the last disturbance
	faults   int
	online   [][]change // by fleet
	connects []batch    // devices that connect
	commands []batch    // devices that a command is sent to
}

// change is the number of connected devices of a fleet at a moment; between two changes it is linear.
type change struct {
	at time.Duration
	n  float64
}

// batch is n devices of a fleet that connect, or get a command, evenly between two moments.
type batch struct {
	from, to time.Duration
	n        float64
	fleet    int
}

// newEstimate goes through the acts in order.
func newEstimate(c *compiler) *estimate {
	e := &estimate{begins: map[string]time.Duration{}, ends: map[string]time.Duration{}, online: make([][]change, len(c.plan.Fleets))}
	var now time.Duration
	for i := range c.plan.Acts {
		a := &c.plan.Acts[i]
		hold := a.Hold.D()
		if a.Kind == sim.ActSettle {
			hold = 0
		}
		switch a.Kind {
		case sim.ActConnect, sim.ActComeBack:
			if a.Curve == sim.CurveSteps {
				e.climb(c, a, now)
				break
			}
			e.move(c, a, now, now+hold, 1)
		case sim.ActOffline:
			e.move(c, a, now, now, -1)
			if a.Over > 0 {
				e.move(c, a, now+a.Over.D(), now+a.Over.D(), 1)
			}
		case sim.ActTask:
			if !a.Commands() {
				break
			}
			j := c.plan.FleetIndex(a.Select.Fleet)
			e.commands = append(e.commands, batch{now, now + hold, float64(a.Select.Size(c.plan.Fleets[j].Count)), j})
		case sim.ActLoad:
			e.load = e.load.With(now, a.Load)
		case sim.ActPhaseStart:
			e.begins[a.Phase] = now
		case sim.ActPhaseEnd:
			e.ends[a.Phase] = now
		case sim.ActPhaseRun:
			if _, open := e.begins[a.Phase]; !open {
				e.begins[a.Phase] = now
			}
			e.ends[a.Phase] = now + hold
		case sim.ActFault:
			k := fault.Of(a)
			if k.OfDevices() {
				e.afflict(c, a, k, now)
				break
			}
			channel, part := targets.Called(a.Fault.Name).Channel(), targets.Share(&c.plan.Target, a.Fault.Name)
			for j := range c.fleets {
				if k.Severs && c.plan.Fleets[j].Speaks(channel) && len(e.online[j]) > 0 {
					e.connects = append(e.connects, batch{now + a.Lasts().D(), now + a.Lasts().D(), part * e.online[j][len(e.online[j])-1].n, j})
				}
			}
		case sim.ActWait:
		case sim.ActSettle: // nobody knows how long it takes
		}
		switch a.Kind {
		case sim.ActOffline, sim.ActComeBack, sim.ActFault:
			e.fault, e.faults = max(e.fault, now+a.Lasts().D()), e.faults+1
		case sim.ActConnect, sim.ActTask, sim.ActLoad, sim.ActSettle, sim.ActWait,
			sim.ActPhaseStart, sim.ActPhaseEnd, sim.ActPhaseRun: // break nothing
		}
		now += hold
	}
	e.end = now
	return e
}

// afflict counts what a fault of devices does to their connections.
func (e *estimate) afflict(c *compiler, a *sim.Act, k *fault.Kind, now time.Duration) {
	switch {
	case k.Off:
		e.move(c, a, now, now, -1)
	case k.Severs: // they connect again at once
		i := c.plan.FleetIndex(a.Select.Fleet)
		e.connects = append(e.connects, batch{now, now, float64(a.Select.Size(c.plan.Fleets[i].Count)), i})
	}
}

// move adds the selected devices to the connected ones (by 1) or removes them (by -1).
func (e *estimate) move(c *compiler, a *sim.Act, from, to time.Duration, by float64) {
	i := c.plan.FleetIndex(a.Select.Fleet)
	size := float64(c.plan.Fleets[i].Count)
	n := float64(a.Select.Size(c.plan.Fleets[i].Count))
	have := 0.0
	if l := len(e.online[i]); l > 0 {
		have = e.online[i][l-1].n
	}
	e.online[i] = append(e.online[i], change{from, have}, change{to, min(size, max(0, have+by*n))})
	if by > 0 {
		e.connects = append(e.connects, batch{from, to, n, i})
	}
}

// climb adds the devices of a fleet step by step, each evenly over its first quarter.
func (e *estimate) climb(c *compiler, a *sim.Act, now time.Duration) {
	i := c.plan.FleetIndex(a.Select.Fleet)
	size := c.plan.Fleets[i].Count
	steps := (size + a.Step - 1) / a.Step
	every := a.Over.D() / time.Duration(steps)
	for k := range steps {
		from, had, has := now+time.Duration(k)*every, k*a.Step, min((k+1)*a.Step, size)
		ramp := every / 4 * time.Duration(has-had) / time.Duration(a.Step)
		e.online[i] = append(e.online[i], change{from, float64(had)}, change{from + ramp, float64(has)})
		e.connects = append(e.connects, batch{from, from + ramp, float64(has - had), i})
	}
}

// window returns the start and end of a window, without the warm-up.
func (e *estimate) window(w sim.Window, warmUp time.Duration) (from, to time.Duration) {
	from, to = 0, e.end
	switch w.Kind {
	case sim.WindowPhase:
		from = e.begins[w.Phase]
		if end, closed := e.ends[w.Phase]; closed {
			to = end
		}
	case sim.WindowLast:
		from = to - w.Span.D()
	case sim.WindowRecovery:
		from = e.fault
	case sim.WindowRun, sim.WindowEvery: // all of it
	}
	return max(from, warmUp), to
}

// sends is how many messages a device of the fleet sends in a nominal second, of those that k selects.
func (f *fleet) sends(k func(*sim.Skill) bool) float64 {
	rate := 0.0
	for _, p := range f.periodic() {
		if k(p) {
			rate += 1 / p.Every.D().Seconds()
		}
	}
	return rate
}

// messages is how many messages the fleets of which ok is true send in a span.
func (e *estimate) messages(c *compiler, from, to time.Duration, ok func(*fleet) bool) float64 {
	return e.selected(c, from, to, func(f *fleet) float64 {
		if !ok(f) {
			return 0
		}
		return f.sends(func(*sim.Skill) bool { return true })
	})
}

// selected is like messages, for the messages of which one device sends rate(fleet) in a nominal second.
func (e *estimate) selected(c *compiler, from, to time.Duration, rate func(*fleet) float64) float64 {
	var sum float64
	for i, f := range c.fleets {
		perDevice := rate(f)
		if perDevice == 0 {
			continue
		}
		for k, ch := range e.online[i] {
			next := change{max(e.end, ch.at), ch.n}
			if k+1 < len(e.online[i]) {
				next = e.online[i][k+1]
			}
			a, b := max(from, ch.at), min(to, next.at)
			if a >= b {
				continue
			}
			at := func(t time.Duration) float64 {
				return ch.n + (next.n-ch.n)*float64(t-ch.at)/float64(next.at-ch.at)
			}
			nominal := (e.load.Integral(b) - e.load.Integral(a)).Seconds()
			sum += (at(a) + at(b)) / 2 * nominal * perDevice
		}
	}
	return sum
}

// within is the number of devices of list whose turn is between from and to.
func within(list []batch, from, to time.Duration) float64 {
	var sum float64
	for _, j := range list {
		a, b := max(from, j.from), min(to, j.to)
		switch {
		case j.from == j.to && j.from >= from && j.from <= to:
			sum += j.n
		case a < b:
			sum += j.n * float64(b-a) / float64(j.to-j.from)
		}
	}
	return sum
}

// checkLatency refuses a claim about latency for which the run would have too few samples.
func (c *compiler) checkLatency(k *sim.Check) error {
	if err := c.checkMeasured(k); err != nil {
		return err
	}
	from, to := c.estimated.window(k.Window, c.plan.WarmUp.D())
	n, err := c.samples(k, from, to)
	if err != nil {
		return err
	}
	if span := k.Window.Span.D(); k.Window.Kind == sim.WindowEvery && span < to-from {
		n *= float64(span) / float64(to-from)
	}
	return enough(k, n, "make the window longer or the fleet larger")
}

// checkMeasured refuses a claim about latency that the run would not measure at all. It makes the estimate if there is
// none yet.
func (c *compiler) checkMeasured(k *sim.Check) error {
	if k.Window.Kind == sim.WindowPhase {
		if _, err := c.phase(k.Window.Phase); err != nil {
			return err
		}
	}
	if err := c.needConnect(); err != nil {
		return err
	}
	if err := c.needSamples(k.Metric); err != nil {
		return err
	}
	if err := measurable(sim.Duration(k.Limit * float64(time.Second))); err != nil {
		return err
	}
	return c.checkWindow(k.Window)
}

// samples is the number of samples of a claim to expect between two moments, of its fleet if it names one.
func (c *compiler) samples(k *sim.Check, from, to time.Duration) (float64, error) {
	if all := c.estimated; k.Fleet != "" && k.Metric != sim.OpDelivery { // whose senders are others
		c.estimated = all.only(c.plan.FleetIndex(k.Fleet))
		defer func() { c.estimated = all }()
	}
	return c.expected(k.Metric, from, to)
}

// measurable refuses a limit above the longest latency that is told apart: nothing could break it.
func measurable(limit sim.Duration) error {
	if limit.D() > hist.Longest {
		return wrong("at most "+words.PrintDuration(hist.Longest), "latencies are measured up to %s, so a limit of %s could not be broken",
			words.PrintDuration(hist.Longest), words.PrintDuration(limit.D()))
	}
	return nil
}

// wholeSeconds refuses a window that is not made of whole seconds, because latencies are counted by the second.
func wholeSeconds(w sim.Window) error {
	span := w.Span.D()
	if span%time.Second == 0 {
		return nil
	}
	hint := words.PrintDuration(span.Truncate(time.Second) + time.Second)
	if less := span.Truncate(time.Second); less > 0 {
		hint = words.PrintDuration(less) + " or " + hint
	}
	return wrong("write "+hint, "a window of %s is not made of whole seconds, and latencies are counted by the second", words.PrintDuration(span))
}

// needSamples refuses a metric of which the story gives no sample.
func (c *compiler) needSamples(metric sim.Op) error {
	switch metric {
	case sim.OpConnect, sim.OpConnecting:
		return nil
	case sim.OpHandshake, sim.OpResumption:
		return c.needSecured()
	case sim.OpCommand, sim.OpObserve:
		return c.needCommands()
	}
	return c.needMessages()
}

// checkWindow refuses a window that is not part of the run. It makes the estimate if there is none yet.
func (c *compiler) checkWindow(w sim.Window) error {
	if err := wholeSeconds(w); err != nil {
		return err
	}
	if w.Kind == sim.WindowPhase {
		if _, err := c.phase(w.Phase); err != nil {
			return err
		}
	}
	if c.estimated == nil {
		c.estimated = newEstimate(c)
	}
	if w.Kind == sim.WindowRecovery && c.estimated.faults == 0 {
		return wrong("break something in a When, or judge `during the run`", "there is nothing to recover from")
	}
	return nil
}

// expected is the number of samples of a metric between two moments.
func (c *compiler) expected(metric sim.Op, from, to time.Duration) (float64, error) {
	e := c.estimated
	switch metric {
	case sim.OpConnect, sim.OpConnecting:
		return within(e.connects, from, to), nil
	case sim.OpHandshake, sim.OpResumption:
		return c.maxHandshakes(metric, from, to)
	case sim.OpCommand, sim.OpObserve:
		return within(e.commands, from, to), nil
	case sim.OpDelivery:
		return c.delivered(from, to)
	case sim.OpPubrec, sim.OpPubcomp:
		twice := func(f *fleet) bool { return f.mqtt() && f.binding.QoS == 2 }
		if !c.some(twice) {
			return 0, wrong("let a fleet speak MQTT with QoS 2, or judge the publish latency",
				"no fleet publishes with QoS 2, so there is no %s latency", metric)
		}
		return e.messages(c, from, to, twice), nil
	case sim.OpPublish:
		if !c.some((*fleet).answered) {
			return 0, wrong("let a fleet speak with QoS 1 or CON, or judge the end-to-end or storage latency",
				"nobody answers QoS 0 and NON messages, so there is no publish latency")
		}
		return e.messages(c, from, to, (*fleet).answered), nil
	case sim.OpEndToEnd:
		// The embedded target forwards to subscribers what its CoAP server receives. Other targets do
		// not, and finishTarget reports that if the story has only CoAP fleets.
		if c.target().Kind != sim.TargetEmbedded && c.some((*fleet).mqtt) {
			return e.messages(c, from, to, (*fleet).mqtt), nil
		}
	}
	return e.messages(c, from, to, func(*fleet) bool { return true }), nil
}

// some reports whether ok is true of at least one fleet that connects and publishes.
func (c *compiler) some(ok func(*fleet) bool) bool {
	return slices.ContainsFunc(c.fleets, func(f *fleet) bool { return f.connected && f.publishes() && ok(f) })
}

// enough refuses a percentile beyond which less than one of the n expected samples lies; remedy says how there would be more.
func enough(k *sim.Check, n float64, remedy string) error {
	least := 1.0
	name := "figure"
	if k.Quantile > 0 && k.Quantile < 1 {
		least = 1 / (1 - k.Quantile)
		name = "p" + trim(k.Quantile*100)
	}
	if n >= least*(1-1e-6) && n > 0 {
		return nil
	}
	hint := fmt.Sprintf("it takes at least %s; %s", trim(math.Ceil(least-1e-6)), remedy)
	for _, p := range []float64{99, 95, 90, 50} {
		if p/100 < k.Quantile && n >= 100/(100-p) {
			hint += fmt.Sprintf(", or judge the p%g", p)
			break
		}
	}
	return wrong(hint, "about %s samples are too few for a %s", trim(math.Floor(n)), name)
}

// trim formats a number with at most 10 digits, so that rounding errors do not show.
func trim(v float64) string { return fmt.Sprintf("%.10g", v) }
