package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/hist"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// Input is all that a run left behind in memory.
type Input struct {
	Plan   *sim.Plan
	T0     time.Time
	Length sim.Instant // when the timeline ended; devices leaving after it are not failures
	Ledger *ledger.Settlement
	Fold   *Fold
	Events []ledger.Event
	Phases []ledger.PhaseSpan

	Endpoints sim.Endpoints // of the target; nil is not known

	Drops []ledger.Drops // what brokers that count say of themselves
	Usage []ledger.Usage // of the target's services that tell what they use

	Figures []ledger.Figures // what services that a claim names told of themselves
	Held    *ledger.Held     // by the nodes of a cluster; nil: they were not asked

	Started map[int]sim.Instant     // when acts began, by index; those missing are looked up in Events
	Settled map[int]ledger.Settling // what became of the settle acts

	Interrupted string            // why the run was interrupted; empty if it was not
	Stopped     string            // why it stopped early; empty if it did not
	Invalid     []string          // what else makes the run invalid
	Taken       []ledger.Takeover // shards that went over to another worker
	Without     bool              // devices whose account never came are left out, and do not make the run invalid
}

// Build makes the result of a run. It has no verdict and no finding yet: package judge gives it those.
func Build(in *Input) *Result {
	r := &Result{
		Plan: in.Plan, T0: in.T0, Length: in.Length,
		Phases: slices.Clone(in.Phases), Events: slices.Clone(in.Events),
		Messages: in.Ledger.All, Devices: in.Ledger.Devices, DevicesOmitted: in.Ledger.Omitted,
	}
	r.Drops, r.Usage, r.Figures = in.Drops, in.Usage, in.Figures
	r.Commands, r.Streams = in.Ledger.Commands, streamResults(in)
	r.Hearings, r.Heard = hearingResults(in), in.Ledger.Heard
	for _, w := range in.Ledger.Wills {
		r.Wills = append(r.Wills, WillResult{Fleet: in.Plan.Fleets[w.Fleet].Name, Wills: w})
	}
	for _, f := range in.Ledger.Flows {
		r.Journeys = append(r.Journeys, JourneyResult{Fleet: in.Plan.Fleets[f.Fleet].Name, Flow: f})
	}
	r.Sessions = sessionResults(in)
	slices.SortStableFunc(r.Events, func(a, b ledger.Event) int { return cmp.Compare(a.At, b.At) })
	for i := range r.Phases {
		if p := &r.Phases[i]; p.End == 0 { // still open
			p.End = max(in.Length, p.Start)
		}
	}
	r.Frames = in.Fold.Frames(0, max(secondsOf(in.Length), in.Fold.Seconds()))
	in.complete(r.Frames)
	changes := in.Fold.Links(max(in.Length, 1))
	r.Fleets = fleetResults(in, changes)
	r.Endpoints = endpointLoads(in, changes)
	r.Errors, r.Remarks = errorClasses(in, in.Fold.Errors()), errorClasses(in, in.Fold.Remarks())
	r.Lag = summary(in.Fold.Lag(0, Forever), hist.Fine(), Left{})
	latencies(in, r)
	return r
}

// Empty is the result of a story that did not run, with the reason: each of its sentences has the verdict.
func Empty(p *sim.Plan, v Verdict, reason string) *Result {
	r := &Result{Plan: p, Verdict: v, Reasons: []string{reason}}
	for _, checks := range [][]sim.Check{p.Guards, p.Checks} {
		for i := range checks {
			r.Findings = append(r.Findings, Finding{Check: &checks[i], Verdict: v})
		}
	}
	return r
}

func fleetResults(in *Input, changes []ledger.LinkChange) []FleetResult {
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
			Protocol: f.Speech(), Model: loadModel(f),
			Messages: in.Ledger.Fleets[i], Unobserved: unobserved(in, i),
		})
	}
	return list
}

// unobserved returns why a fleet's losses cannot be known; "" if they can.
func unobserved(in *Input, fleet int) string {
	if o := in.Ledger.Observed[fleet]; o.Received || o.Stored {
		return ""
	}
	return fmt.Sprintf("nobody sees the messages of %q arrive at this target", in.Plan.Fleets[fleet].Name)
}

// loadModel says what makes a fleet send: its reports come by the clock, whether or not the
// target keeps up; how many may be unanswered is bounded.
func loadModel(f *sim.Fleet) string {
	var parts []string
	for i := range f.Skills {
		if k := &f.Skills[i]; k.Every > 0 {
			how := "every"
			if k.Full {
				how = "at every full"
			}
			parts = append(parts, fmt.Sprintf("one %s %s %s", k.Name, how, shortDuration(k.Every.D())))
		}
	}
	if parts == nil {
		return "silent"
	}
	return "open: " + strings.Join(parts, ", ")
}

// streamResults are the accounts of the fleets' streams, where a fleet has more than one.
func streamResults(in *Input) []StreamResult {
	var list []StreamResult
	for _, s := range in.Ledger.Streams {
		f := &in.Plan.Fleets[s.Fleet]
		specs := f.Streams()
		if len(specs) < 2 {
			continue
		}
		spec := &specs[s.Stream]
		list = append(list, StreamResult{Fleet: f.Name, Stream: spec.Name, Topic: spec.Topic, Down: spec.Down, Messages: s.Totals})
	}
	return list
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

func errorClasses(in *Input, stats []ledger.ErrorStat) []ErrorClass {
	var list []ErrorClass
	for _, e := range stats {
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

// latencies fills the rows, for every operation: the whole run, each fleet, each phase, and each
// fleet in each phase; and the histograms of all but the last.
func latencies(in *Input, r *Result) {
	all := ledger.PhaseSpan{End: Forever}
	for op := range sim.NumOps {
		for _, ph := range append([]ledger.PhaseSpan{all}, r.Phases...) {
			for fleet := AllFleets; fleet < len(in.Plan.Fleets); fleet++ {
				name := ""
				if fleet >= 0 {
					name = in.Plan.Fleets[fleet].Name
				}
				resp := in.Fold.Between(ph.Start, ph.End, op, ledger.Response, fleet)
				left := in.Left(ph.Start, ph.End, op, fleet)
				if len(resp) == 0 && left == (Left{}) {
					continue
				}
				serv := in.Fold.Between(ph.Start, ph.End, op, ledger.Service, fleet)
				r.Latency = append(r.Latency, LatencyRow{
					Op: op, Fleet: name, Phase: ph.Name, Response: summary(resp, hist.Fine(), left), Service: summary(serv, hist.Fine(), Left{}),
				})
				if fleet >= 0 && ph.Name != "" {
					continue
				}
				late := in.Fold.Between(ph.Start, ph.End, op, ledger.Lag, fleet)
				for m, c := range [...]hist.Counts{ledger.Response: resp, ledger.Service: serv, ledger.Lag: late} {
					if len(c) > 0 {
						tag := strings.Join([]string{op.String(), ledger.Measure(m).String(), cmp.Or(name, "-"), cmp.Or(ph.Name, "-")}, "/")
						r.Hists = append(r.Hists, TaggedHist{Tag: tag, Hist: dense(c)})
					}
				}
			}
		}
	}
}
