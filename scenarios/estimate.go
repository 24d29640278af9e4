package scenarios

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/pace"
)

// estimate is how many samples the timeline will give, at the counts of this run. It counts on
// nothing that is uncertain: waiting for things to settle takes no time in it.
type estimate struct {
	load   pace.Load
	end    time.Duration
	begins map[string]time.Duration // of phases
	ends   map[string]time.Duration
	fault  time.Duration // end of the last thing that went wrong
	faults int
	online [][]change   // by fleet
	joins  []connection // devices that connect
	told   []connection // devices that a command is sent to
}

// change is the number of connected devices of a fleet from a moment on; between two changes it is linear.
type change struct {
	at time.Duration
	n  float64
}

// connection is n devices of a fleet that connect between two moments.
type connection struct {
	from, to time.Duration
	n        float64
	fleet    int
}

// newEstimate walks through the acts.
func newEstimate(c *compiler) *estimate {
	e := &estimate{begins: map[string]time.Duration{}, ends: map[string]time.Duration{}, online: make([][]change, len(c.fleets))}
	var now time.Duration
	for i := range c.plan.Acts {
		a := &c.plan.Acts[i]
		hold := a.Hold.D()
		if a.Kind == sim.ActSettle {
			hold = 0
		}
		switch a.Kind {
		case sim.ActConnect, sim.ActComeBack:
			e.move(c, a, now, now+hold, 1)
		case sim.ActOffline, sim.ActPowerLoss:
			e.move(c, a, now, now, -1)
			if a.Over > 0 {
				e.move(c, a, now+hold, now+hold, 1)
			}
		case sim.ActCommand:
			j := c.plan.FleetIndex(a.Select.Fleet)
			e.told = append(e.told, connection{now, now + hold, float64(a.Select.Size(c.plan.Fleets[j].Count)), j})
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
		case sim.ActRestart, sim.ActKill:
			for j, f := range c.fleets {
				if f.mqtt() == (a.Service == "broker") && len(e.online[j]) > 0 {
					e.joins = append(e.joins, connection{now + hold, now + hold, e.online[j][len(e.online[j])-1].n, j})
				}
			}
		}
		switch a.Kind {
		case sim.ActOffline, sim.ActPowerLoss, sim.ActComeBack, sim.ActRestart, sim.ActKill, sim.ActFreeze:
			e.fault, e.faults = now+hold, e.faults+1
		}
		now += hold
	}
	e.end = now
	return e
}

// move lets the selected devices come (by 1) or go (by -1).
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
		e.joins = append(e.joins, connection{from, to, n, i})
	}
}

// window is the span of a window; the warm-up is outside.
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
	}
	return max(from, warmUp), to
}

// messages is how many messages the fleets of which ok is true send in a span.
func (e *estimate) messages(c *compiler, from, to time.Duration, ok func(*fleet) bool) float64 {
	var sum float64
	for i, f := range c.fleets {
		if !f.publishes() || !ok(f) {
			continue
		}
		every := f.report.Every.D().Seconds()
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
			sum += (at(a) + at(b)) / 2 * nominal / every
		}
	}
	return sum
}

// within is the number of those that act in a span.
func within(list []connection, from, to time.Duration) float64 {
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

// checkLatency refuses a claim that no number of the run can prove.
func (c *compiler) checkLatency(k *sim.Check) error {
	if err := c.needConnect(); err != nil {
		return err
	}
	if err := c.needSamples(k.Metric); err != nil {
		return err
	}
	if err := c.checkWindow(k.Window); err != nil {
		return err
	}
	from, to := c.estimated.window(k.Window, c.plan.WarmUp.D())
	n, err := c.expected(k.Metric, from, to)
	if err != nil {
		return err
	}
	if span := k.Window.Span.D(); k.Window.Kind == sim.WindowEvery && span < to-from {
		n *= float64(span) / float64(to-from)
	}
	return enough(k, n)
}

// needSamples refuses a metric of what does not happen in the story.
func (c *compiler) needSamples(metric sim.Op) error {
	switch metric {
	case sim.OpConnect:
		return nil
	case sim.OpHandshake, sim.OpResumption:
		return c.needSecured()
	case sim.OpCommand, sim.OpObserve:
		return c.needCommands()
	}
	return c.needMessages()
}

// checkWindow refuses a window that is not in the run, and makes the estimate.
func (c *compiler) checkWindow(w sim.Window) error {
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
	case sim.OpConnect:
		return within(e.joins, from, to), nil
	case sim.OpHandshake, sim.OpResumption:
		return c.shaken(metric, from, to)
	case sim.OpCommand, sim.OpObserve:
		return within(e.told, from, to), nil
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
		// The embedded target hands on to subscribers what its CoAP server takes; others do not, and
		// finishTarget says so when there is nothing else.
		if c.target().Kind != sim.TargetEmbedded && c.some((*fleet).mqtt) {
			return e.messages(c, from, to, (*fleet).mqtt), nil
		}
	}
	return e.messages(c, from, to, func(*fleet) bool { return true }), nil
}

// some says whether a fleet that connects and publishes is such.
func (c *compiler) some(such func(*fleet) bool) bool {
	return slices.ContainsFunc(c.fleets, func(f *fleet) bool { return f.connected && f.publishes() && such(f) })
}

// enough refuses a percentile with fewer than one sample expected beyond it.
func enough(k *sim.Check, n float64) error {
	least := 1.0
	name := "figure"
	if k.Quantile > 0 && k.Quantile < 1 {
		least = 1 / (1 - k.Quantile)
		name = "p" + trim(k.Quantile*100)
	}
	if n >= least*(1-1e-6) && n > 0 {
		return nil
	}
	hint := fmt.Sprintf("it takes at least %s; make the window longer or the fleet larger", trim(math.Ceil(least-1e-6)))
	for _, p := range []float64{99, 95, 90, 50} {
		if p/100 < k.Quantile && n >= 100/(100-p) {
			hint += fmt.Sprintf(", or judge the p%g", p)
			break
		}
	}
	return wrong(hint, "about %s samples are too few for a %s", trim(math.Floor(n)), name)
}

// trim formats a number without digits that are only rounding.
func trim(v float64) string { return fmt.Sprintf("%.10g", v) }
