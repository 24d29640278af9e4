package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// Input is all that a run left behind in memory.
type Input struct {
	Plan   *sim.Plan
	T0     time.Time
	Length sim.Instant // when the timeline ended; devices leaving after it are not failures
	Ledger *Settlement
	Fold   *Fold
	Events []Event
	Phases []PhaseSpan

	Endpoints sim.Endpoints // of the target; nil is not known

	Commands *CommandTotals // nil: the plan sends none

	Started map[int]sim.Instant // when acts began, by index; those missing are looked up in Events
	Settled map[int]Settling    // what became of the settle acts

	Interrupted string     // why the run was interrupted; empty if it was not
	Stopped     string     // why it stopped early; empty if it did not
	Invalid     []string   // what else makes the run invalid
	Taken       []Takeover // shards that went over to another worker
	Without     bool       // devices whose account never came are left out, and do not make the run invalid
}

// Settling is what became of a settle act.
type Settling struct {
	In     time.Duration // it took, or all the time it had
	Reason string        // why it never settled; empty when it did
}

// Build makes the result of a run and judges it.
func Build(in *Input) *Result {
	r := &Result{
		Plan: in.Plan, T0: in.T0, Length: in.Length,
		Phases: slices.Clone(in.Phases), Events: slices.Clone(in.Events),
		Messages: in.Ledger.All, Devices: in.Ledger.Devices, DevicesOmitted: in.Ledger.Omitted,
	}
	if in.Commands != nil {
		totals := *in.Commands
		r.Commands = &totals
	}
	slices.SortStableFunc(r.Events, func(a, b Event) int { return cmp.Compare(a.At, b.At) })
	for i := range r.Phases {
		if p := &r.Phases[i]; p.End == 0 { // still open
			p.End = max(in.Length, p.Start)
		}
	}
	r.Frames = in.Fold.Frames(0, max(secondsOf(in.Length), in.Fold.lastSecond()+1))
	changes := in.Fold.changes(max(in.Length, 1))
	r.Fleets = fleetResults(in, changes)
	r.Endpoints = endpointLoads(in, changes)
	r.Errors = errorClasses(in)
	r.Lag = lagOf(in.Fold, 0, forever, allFleets).summary(fine())
	latencies(in, r)
	j := &judge{in: in, r: r, changes: changes, starts: starts(in, r.Events)}
	j.run()
	return r
}

func fleetResults(in *Input, changes []LinkChange) []FleetResult {
	var list []FleetResult
	peak, present := make([]int, len(in.Plan.Fleets)), make([]int, len(in.Plan.Fleets))
	up := make([][]bool, len(in.Plan.Fleets))
	for i := range up {
		up[i] = make([]bool, in.Plan.Fleets[i].Count)
	}
	for _, l := range changes {
		if up[l.Fleet][l.Device] == l.Up {
			continue
		}
		up[l.Fleet][l.Device] = l.Up
		if l.Up {
			present[l.Fleet]++
			peak[l.Fleet] = max(peak[l.Fleet], present[l.Fleet])
		} else {
			present[l.Fleet]--
		}
	}
	for i := range in.Plan.Fleets {
		f := &in.Plan.Fleets[i]
		list = append(list, FleetResult{
			Name: f.Name, Devices: f.Count, ConnectedPeak: peak[i],
			Protocol: protocol(f.Data()), Model: loadModel(f),
			Messages: in.Ledger.Fleets[i], Unobserved: unobserved(in, i),
		})
	}
	return list
}

// unobserved says why a fleet's losses cannot be known; empty when they can.
func unobserved(in *Input, fleet int) string {
	if o := in.Ledger.Observed[fleet]; o.Received || o.Stored {
		return ""
	}
	return fmt.Sprintf("nobody sees the messages of %q arrive at this target", in.Plan.Fleets[fleet].Name)
}

func protocol(b *sim.Binding) string {
	over, quality := map[sim.Transport]string{
		sim.TransportTLS: " over TLS", sim.TransportWS: " over WebSocket", sim.TransportWSS: " over secure WebSocket",
		sim.TransportDTLS: " over DTLS", sim.TransportTCP: " over TCP",
	}[b.Transport], fmt.Sprintf("QoS %d", b.QoS)
	name := "MQTT " + cmp.Or(b.Version, "3.1.1")
	if b.Channel == sim.ChannelCoAP {
		name, quality = "CoAP", "NON"
		if b.QoS > 0 {
			quality = "CON"
		}
	}
	text := name + over
	if b.Channel == sim.ChannelMQTT || b.Transport == sim.TransportPlain || b.Transport == sim.TransportDTLS {
		text += ", " + quality // RFC 8323 has neither CON nor NON
	}
	if b.Client != sim.ClientOwn {
		text += ", client " + string(b.Client)
	}
	return text
}

// loadModel says what makes a fleet send: its reports come by the clock, whether or not the
// target keeps up; how many may be unanswered is bounded.
func loadModel(f *sim.Fleet) string {
	if f.Report.Every <= 0 {
		return "silent"
	}
	return fmt.Sprintf("open: one report every %s", shortDuration(f.Report.Every.D()))
}

// shortDuration is d without the zeros at its end: "1m" for "1m0s".
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

func errorClasses(in *Input) []ErrorClass {
	var list []ErrorClass
	for _, e := range in.Fold.errors.list() {
		c := ErrorClass{
			Class: e.Outcome.Class(), Op: e.Op.String(), Count: e.Count, WarmUp: e.WarmUp, First: e.First, Last: e.Last,
		}
		for _, d := range e.Devices {
			c.Devices = append(c.Devices, in.Plan.Fleets[d.Fleet].DeviceID(d.Device))
		}
		list = append(list, c)
	}
	slices.SortStableFunc(list, func(a, b ErrorClass) int { return cmp.Compare(b.Count, a.Count) })
	return list
}

// lagOf is the lateness of the generator itself.
func lagOf(f *Fold, from, to sim.Instant, fleet int) counts {
	sum := f.between(from, to, sim.OpConnect, lag, fleet)
	sum.merge(f.between(from, to, sim.OpPublish, lag, fleet))
	sum.merge(f.between(from, to, sim.OpCommand, lag, fleet))
	return sum
}

// latencies fills the rows, for every operation: the whole run, each fleet, each phase, and each
// fleet in each phase; and the histograms of all but the last.
func latencies(in *Input, r *Result) {
	all := PhaseSpan{End: forever}
	for op := range sim.NumOps {
		for _, ph := range append([]PhaseSpan{all}, r.Phases...) {
			for fleet := allFleets; fleet < len(in.Plan.Fleets); fleet++ {
				name := ""
				if fleet >= 0 {
					name = in.Plan.Fleets[fleet].Name
				}
				resp := in.Fold.between(ph.Start, ph.End, op, response, fleet)
				if len(resp) == 0 {
					continue
				}
				serv := in.Fold.between(ph.Start, ph.End, op, service, fleet)
				r.Latency = append(r.Latency, LatencyRow{
					Op: op, Fleet: name, Phase: ph.Name, Response: resp.summary(fine()), Service: serv.summary(fine()),
				})
				if fleet >= 0 && ph.Name != "" {
					continue
				}
				late := in.Fold.between(ph.Start, ph.End, op, lag, fleet)
				for m, c := range [...]counts{response: resp, service: serv, lag: late} {
					if len(c) > 0 {
						tag := strings.Join([]string{op.String(), measure(m).String(), cmp.Or(name, "-"), cmp.Or(ph.Name, "-")}, "/")
						r.Hists = append(r.Hists, TaggedHist{Tag: tag, Hist: c.dense()})
					}
				}
			}
		}
	}
}

func (m measure) String() string {
	return [...]string{response: "response", service: "service", lag: "lag", happened: "happened"}[m]
}

// starts are the instants at which acts began. Events tell of acts in the plan's order.
func starts(in *Input, events []Event) map[int]sim.Instant {
	began := make(map[int]sim.Instant)
	next := 0
	for _, e := range events {
		if next == len(in.Plan.Acts) {
			break
		}
		if a := &in.Plan.Acts[next]; e.Kind == string(a.Kind) && e.Origin == a.Origin && e.Text == a.Text {
			began[next] = e.At
			if a.Segment == 0 {
				began[next] = a.At.D()
			}
			next++
		}
	}
	for i, at := range in.Started {
		began[i] = at
	}
	return began
}
