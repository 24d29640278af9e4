package scenarios

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// story wraps steps, one per line, into a feature.
func story(steps string) string {
	var b strings.Builder
	b.WriteString("Feature: x\n  Scenario: x\n")
	for l := range strings.Lines(strings.TrimSpace(steps)) {
		b.WriteString("    " + strings.TrimSpace(l) + "\n")
	}
	return b.String()
}

func plan(t *testing.T, steps string, o Options) *Story {
	t.Helper()
	return mustLoadText(t, story(steps), o).Stories[0]
}

func TestTimeline(t *testing.T) {
	s := plan(t, `
		Given a fleet "rooms" of 1,000 "sensor" devices
		And a fleet "lights" of 500 "sensor" devices
		When fleet "rooms" connects evenly over 3m
		And fleet "lights" connects at 100/s
		And everything is settled within 1m
		And phase "storm" starts
		And "broker" is killed and stays down for 40s
		And "broker" is killed
		And "broker" restarts
		And "coap" is frozen for 2s
		And 10% of "rooms" go offline
		And 5 devices of "rooms" go offline for 10s
		And device "rooms-7" loses power without a disconnect
		And 10% of "rooms" come back in bursts over 20s
		And the publish rate goes evenly from 150/s to 300/s over 30s
		And phase "storm" runs for 5m
		Then no message is lost`, Options{})
	want := []string{
		"connect seg 0 at 0s hold 3m0s", "connect seg 0 at 3m0s hold 5s", "settle seg 0 at 3m5s hold 1m0s",
		"phase-start seg 1 at 0s hold 0s", "kill broker for 40s seg 1 at 0s hold 40s", "kill broker for 0s seg 1 at 40s hold 0s",
		"restart broker for 0s seg 1 at 40s hold 0s", "freeze coap for 2s seg 1 at 40s hold 2s", "offline seg 1 at 42s hold 0s",
		"offline seg 1 at 42s hold 10s", "fault of power: power-loss seg 1 at 52s hold 0s", "come-back seg 1 at 52s hold 20s",
		"load seg 1 at 1m12s hold 30s", "phase-run seg 1 at 1m42s hold 5m0s",
	}
	for i, a := range s.Plan.Acts {
		what := string(a.Kind)
		if f := a.Fault; f != nil && f.Site == sim.SiteService {
			what = fmt.Sprintf("%s %s for %s", f.Verb, f.Name, f.For)
		} else if f != nil {
			what = fmt.Sprintf("%s of %s: %s", what, f.Site, f.Verb)
		}
		if got := fmt.Sprintf("%s seg %d at %s hold %s", what, a.Segment, a.At, a.Hold); i >= len(want) || got != want[i] {
			t.Errorf("act %d is %q", i, got)
		}
		if line := fmt.Sprintf("x.feature:%d", i+5); !strings.HasSuffix(a.Origin, line) {
			t.Errorf("act %d has the origin %s, want %s", i, a.Origin, line)
		}
		if s.Steps[i+2].Act != i {
			t.Errorf("step %d has act %d, want %d", i+2, s.Steps[i+2].Act, i)
		}
	}
	if len(s.Plan.Acts) != len(want) {
		t.Errorf("%d acts, want %d", len(s.Plan.Acts), len(want))
	}
	if c := s.Plan.Checks[0]; c.Kind != sim.CheckSettled || c.Act != 2 || c.Within.D() != time.Minute {
		t.Errorf("the settled check is %+v", c)
	}
	if o := s.Plan.Acts[10].Select.Device; o == nil || *o != 7 {
		t.Errorf("device rooms-7 is %v", o)
	}
	if fmt.Sprint(s.Steps[16].Checks) != "[1]" || s.Steps[16].Kind != Then {
		t.Errorf("the Then is %+v", s.Steps[16])
	}
}

// Rates are those of the fleets that connect, at declared counts, whatever --scale says.
func TestLoadIsRelativeToNominal(t *testing.T) {
	for _, scale := range []float64{1, 10, 0.1} {
		s := plan(t, `
			Given a fleet "rooms" of 1,000 "sensor" devices
			And a fleet "idle" of 9,000 "sensor" devices
			When fleet "rooms" connects evenly over 10s
			And the load follows:
			  | over | to    | curve     |
			  | 10s  | 200/s | -         |
			  | 5s   | 50/s  | in bursts |
			And the publish rate goes exponentially from 100/s to 400/s over 1m
			And the load follows:
			  | over | to   |
			  | 10s  | 0/s  |
			Then no message is lost`, Options{Scale: scale})
		var got []string
		for _, a := range s.Plan.Acts[1:] {
			for _, r := range a.Load {
				got = append(got, fmt.Sprintf("%g-%g %s %s", r.From, r.To, r.Over, r.Curve))
			}
		}
		want := "1-2 10s evenly, 2-0.5 5s in bursts, 1-4 1m0s exponentially, 4-0 10s evenly"
		if strings.Join(got, ", ") != want {
			t.Errorf("scale %g: the load is %q, want %q", scale, got, want)
		}
		if n, w := s.Plan.Fleets[0].Count, int(1000*scale); n != w {
			t.Errorf("scale %g: %d devices, want %d", scale, n, w)
		}
	}
}

// A row of objectives is found at its own line, not at the sentence's.
func TestObjectivesHaveTheLinesOfTheirRows(t *testing.T) {
	p := plan(t, `
		Given a fleet "rooms" of 1,000 "sensor" devices
		When fleet "rooms" connects evenly over 10s
		And phase "steady" runs for 1m
		Then the objectives hold:
		  | metric     | percentile | limit |
		  | end-to-end | p50        | 200ms |
		  | publish    | p99        | 1s    |
		And no message is lost`, Options{}).Plan
	first, second, last := p.Checks[0].Origin, p.Checks[1].Origin, p.Checks[2].Origin
	var lines [3]int
	for i, origin := range []string{first, second, last} {
		if _, err := fmt.Sscan(origin[strings.LastIndex(origin, ":")+1:], &lines[i]); err != nil {
			t.Fatalf("%q: %v", origin, err)
		}
	}
	if lines[1] != lines[0]+1 || lines[2] != lines[0]+2 {
		t.Errorf("the checks come from %s, %s and %s, want three lines one after another", first, second, last)
	}
}

func TestScaleOfSelections(t *testing.T) {
	steps := `
		Given a fleet "rooms" of 1,000 "sensor" devices
		When fleet "rooms" connects at 100/s
		And 30 devices of "rooms" go offline
		And 1% of "rooms" go offline
		Then the generator kept its schedule within 1s`
	for scale, want := range map[float64][3]int{1: {1000, 30, 10}, 10: {10000, 300, 100}, 0.1: {100, 3, 1}, 0.01: {10, 1, 1}, 1e-6: {1, 1, 1}} {
		p := plan(t, steps, Options{Scale: scale}).Plan
		n := p.Fleets[0].Count
		got := [3]int{n, p.Acts[1].Select.Size(n), p.Acts[2].Select.Size(n)}
		if got != want {
			t.Errorf("scale %g gives %v, want %v", scale, got, want)
		}
		if hold := time.Duration(n) * time.Second / 100; p.Acts[0].Hold.D() != hold {
			t.Errorf("scale %g: connecting takes %s, want %s", scale, p.Acts[0].Hold, hold)
		}
	}
}

func TestFollowingCurve(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "late.csv"), "time,share\n0%,0\n50%,0%\n100%,100%\n")
	path := filepath.Join(dir, "x.feature")
	write(t, path, story(`
		Given a fleet "rooms" of 1,000 "sensor" devices
		When fleet "rooms" connects following "late.csv" over 100s
		And the publish rate goes following "late.csv" from 100/s to 200/s over 10s
		Then no message is lost`))
	s, err := Load([]string{path}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	acts := s.Stories[0].Plan.Acts
	// From the middle on, evenly: half of the devices after three quarters of the time.
	if q := acts[0].Offsets; len(q) != curvePoints || math.Abs(q[50].D().Seconds()-75) > 0.01 || q[100].D() != 100*time.Second {
		t.Errorf("the quantiles are %v", acts[0].Offsets)
	}
	var over, area float64
	for _, r := range acts[1].Load {
		over += r.Over.D().Seconds()
		area += r.Over.D().Seconds() * (r.From + r.To) / 2
	}
	if math.Abs(over-10) > 1e-6 || math.Abs(area-12.5) > 0.03 {
		t.Errorf("the ramps take %gs and have the area %g, want 10s and 12.5", over, area)
	}
}

// A stamp and the recorder's cells have room for so many fleets and no more.
func TestTooManyFleets(t *testing.T) {
	c := compiler{named: map[string]*fleet{}}
	for i := range sim.MaxFleets {
		if _, err := c.addFleet(place{}, fmt.Sprint("f", i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.addFleet(place{}, "more"); err == nil || !strings.Contains(fmt.Sprint(err), "at most 4096 fleets") {
		t.Errorf("one more: %v", err)
	}
}

func TestFleetDeclarations(t *testing.T) {
	dir := t.TempDir()
	profile := filepath.Join(dir, "site.yaml")
	write(t, profile, "fleets:\n  meters:\n    count: 500\n    model: sensor\n    protocol: CoAP\n    every: 30s\n")
	path := filepath.Join(dir, "x.feature")
	write(t, path, story(`
		Given the fleets:
		| name   | count | protocol | qos   | every | topic     | jitter |
		| lights | 1k    | MQTT 5   | QoS 0 | 60s   | a/{id}/b  | 20%    |
		| doors  | 10    | -        | -     | -     | -         | -      |
		| meters | -     | -        | NON   | -     | -         | -      |
		And fleet "doors" keeps its session for 1h
		And devices reconnect with backoff from 1s to 60s and 50% jitter
		And "sensor" devices buffer up to 30 messages offline and drop the newest
		And "sensor" devices encode as "SenML+CBOR"
		When fleet "lights" connects evenly over 1m
		Then no message is lost`))
	s, err := Load([]string{path}, Options{Profiles: []string{profile}, Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	p := s.Stories[0].Plan
	var got []string
	for _, f := range p.Fleets {
		b := f.Data()
		got = append(got, fmt.Sprintf("%s %d %s %s %d %s %g %s session %s retry %s %s %g stable %s", f.Name, f.Count, b.Channel, b.Version, b.QoS,
			f.Skills[0].Every, f.Skills[0].Jitter, f.Skills[0].Topic, b.Session, b.Retry.Base, b.Retry.Max, b.Retry.Jitter, b.Retry.Stable))
		if f.Model.Buffer != (sim.Buffer{Capacity: 30, Newest: true}) || f.Model.Encoding != sim.EncodingSenMLCBOR || len(f.Model.Signals) == 0 {
			t.Errorf("the model of %s is %+v", f.Name, f.Model)
		}
	}
	want := []string{
		"lights 1000 mqtt 5 0 1m0s 0.2 a/{id}/b session 0s retry 1s 1m0s 0.5 stable 30s",
		"doors 10 mqtt 3.1.1 1 10s 0 {fleet}/{id}/telemetry session 1h0m0s retry 1s 1m0s 0.5 stable 30s",
		"meters 500 coap  0 30s 0 {fleet}/{id}/telemetry session 0s retry 1s 1m0s 0.5 stable 30s",
	}
	for i := range want {
		if i >= len(got) || got[i] != want[i] {
			t.Errorf("fleet %d is\n%s, want\n%s", i, got, want[i])
		}
	}
	if p.Seed != 7 || p.Schema != sim.PlanSchema || len(p.Hash()) != 64 {
		t.Errorf("seed %d, schema %d, hash %q", p.Seed, p.Schema, p.Hash())
	}
}

func TestChecks(t *testing.T) {
	s := plan(t, `
		Given a fleet "rooms" of 1,000 "sensor" devices
		And throughout the run the p99 end-to-end latency over any 10s stays below 2s
		And a warm-up of 5s that is not measured
		And the run stops early when 50% of publishes fail for 10s
		When fleet "rooms" connects evenly over 10s
		And phase "storm" starts
		And "broker" restarts
		And phase "storm" runs for 1m
		Then the p99.9 end-to-end latency is at most 1500ms during phase "storm"
		And the max publish latency is below 2s after recovery
		And the mean connect latency is below 2s in the last 2m
		And at least 99.9% of messages are delivered within 2s
		And 3 QoS 1 messages are lost
		And at most 0.5% of QoS 1 messages are lost
		And every device's messages arrive in order
		And 99% of "rooms" are connected within 5s after phase "storm" ends
		And the connect rate never exceeds 600/min
		And no device reconnects more than 1 time
		And everything recovers within 10s of phase "storm"
		And connections are spread over the brokers within 12.5%
		And the only errors are:
		| reason           | at most |
		| connection reset | 5%      |
		| connect timeout  | 3       |
		And the generator kept its schedule within 50ms`, Options{})
	var got []string
	for _, c := range append(s.Plan.Guards, s.Plan.Checks...) {
		line := fmt.Sprintf("%s %s %g %s %g %v %s", c.Kind, c.Metric, c.Quantile, c.Bound, c.Limit, c.Window, c.Within)
		if c.QoS != nil {
			line += fmt.Sprintf(" qos %d share %v", *c.QoS, c.Share)
		}
		if c.Phase != "" {
			line += " " + c.Phase + " " + c.Edge
		}
		for _, e := range c.Errors {
			line += fmt.Sprintf(" [%s %g %d %v]", e.Outcome, e.Share, e.Count, e.IsShare)
		}
		got = append(got, line)
	}
	want := []string{
		"latency end-to-end 0.99 below 2 {every  10s} 0s",
		"latency end-to-end 0.999 at most 1.5 {phase storm 0s} 0s",
		"latency publish 1 below 2 {recovery  0s} 0s",
		"latency connect -1 below 2 {last  2m0s} 0s",
		"delivered connect 0 at least 0.999 {  0s} 2s",
		"lost connect 0 exactly 3 {  0s} 0s qos 1 share false",
		"lost connect 0 at most 0.005 {  0s} 0s qos 1 share true",
		"order connect 0 exactly 0 {  0s} 0s",
		"connected connect 0  0 {  0s} 5s storm ends",
		"rate connect 0 at most 10 {  0s} 0s",
		"reconnects connect 0 at most 1 {  0s} 0s",
		"recovery connect 0  0 {  0s} 10s storm ",
		"spread connect 0 at most 0.125 {  0s} 0s",
		"only-errors connect 0  0 {  0s} 0s [connection reset 0.05 0 true] [connect timeout 0 3 false]",
		"schedule connect 0  0 {  0s} 50ms",
	}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Errorf("check %d differs:\n%q", i, got[i:min(i+1, len(got))])
		}
	}
	if s.Plan.WarmUp.D() != 5*time.Second || s.Plan.StopEarly == nil || s.Plan.StopEarly.Share != 0.5 {
		t.Errorf("warm-up %s, stop early %+v", s.Plan.WarmUp, s.Plan.StopEarly)
	}
	if fmt.Sprint(s.Steps[1].Guards) != "[0]" {
		t.Errorf("the guard's step is %+v", s.Steps[1])
	}
}
