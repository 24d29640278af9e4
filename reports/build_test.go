package reports

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

func TestBuild(t *testing.T) {
	all := &sim.Selection{Fleet: "meters", All: true}
	s := newStage(t, func(p *sim.Plan) {
		p.Acts = []sim.Act{
			{Kind: sim.ActConnect, Select: all, Origin: "x.feature:3", Text: "fleet connects"},
			{
				Kind: sim.ActPhaseRun, Phase: "calm", Origin: "x.feature:4",
				At: sim.Duration(time.Second), Hold: sim.Duration(4 * time.Second),
			},
		}
		p.Checks = []sim.Check{
			{Kind: sim.CheckConnected, Select: all, Within: sim.Duration(time.Second)},
			{Kind: sim.CheckLost, Bound: sim.Exactly},
		}
		p.Guards = []sim.Check{{Kind: sim.CheckDuplicates}}
	})
	s.in.T0 = time.Unix(1_700_000_000, 0)
	s.in.Length = 10 * time.Second
	s.in.Started = nil
	s.in.Events = []Event{
		{At: 1002 * ms, Kind: "phase-run", Origin: "x.feature:4"},
		{At: 3 * ms, Kind: "connect", Origin: "x.feature:3", Text: "fleet connects"},
		{At: 2 * ms, Kind: "service-up"},
	}
	s.in.Phases = []PhaseSpan{{Name: "calm", Start: time.Second, End: 5 * time.Second}, {Name: "open", Start: 5 * time.Second}}
	s.links(true, 500*ms, s.all()...)
	s.links(false, 9*time.Second, 1, 2)
	s.links(true, 10*time.Second, 1, 2)
	steady(s, 10)
	s.fail(sim.OpPublish, sim.MQTTPubackError, 2*time.Second, 2)
	s.fail(sim.OpConnect, sim.TCPRefused, 2*time.Second, 3)
	r := s.build()

	if r.Verdict != Passed || len(r.Reasons) > 0 || len(r.Findings) != 3 {
		t.Fatalf("%s %q %+v", r.Verdict, r.Reasons, r.Findings)
	}
	if f := r.Findings; f[0].Check != &s.plan.Guards[0] || f[1].Value != 0.5 || f[2].Check != &s.plan.Checks[1] {
		t.Errorf("findings: %+v", f)
	}
	if r.Plan != s.plan || !r.T0.Equal(s.in.T0) || r.Length != s.in.Length || r.Events[0].Kind != "service-up" {
		t.Errorf("head: %+v", r)
	}
	if r.Phases[1].End != s.in.Length {
		t.Errorf("an open phase ends with the run: %+v", r.Phases)
	}
	meters := r.Fleets[0]
	if meters.Name != "meters" || meters.Devices != 10 || meters.ConnectedPeak != 10 || meters.Protocol != "MQTT 5, QoS 1" ||
		meters.Model != "open: one report every 1s" || meters.Messages.Delivered != 100 || meters.Unobserved != "" {
		t.Errorf("meters: %+v", meters)
	}
	if rooms := r.Fleets[1]; rooms.Protocol != "CoAP, NON" || rooms.Model != "silent" || rooms.ConnectedPeak != 0 {
		t.Errorf("rooms: %+v", rooms)
	}
	if r.Messages != meters.Messages || r.Messages.Acked != 100 {
		t.Errorf("messages: %+v", r.Messages)
	}
	var classes []string
	for _, e := range r.Errors {
		classes = append(classes, e.Op+" "+e.Class)
	}
	if strings.Join(classes, "; ") != "connect tcp connection refused; publish mqtt publish refused" {
		t.Errorf("errors: %q", classes)
	}
	if len(r.Frames) != 20 {
		t.Fatalf("%d frames", len(r.Frames))
	}
	if fr := r.Frames[4]; fr.Fleet != "meters" || fr.Second != 2 || fr.Errors != 5 || fr.Received != 10 {
		t.Errorf("frame: %+v", fr)
	}
	if r.Lag.Count != 100 || r.Lag.P99 != 0.001 {
		t.Errorf("lag: %+v", r.Lag)
	}
	checkRows(t, r)
}

func checkRows(t *testing.T, r *Result) {
	t.Helper()
	rows := make(map[string]LatencyRow)
	for _, row := range r.Latency {
		rows[strings.Join([]string{row.Op.String(), row.Fleet, row.Phase}, "/")] = row
	}
	for name, count := range map[string]int64{
		"publish//": 100, "publish/meters/": 100, "publish//calm": 40, "publish/meters/open": 50,
		"end-to-end//calm": 40, "storage//": 100,
	} {
		if row := rows[name]; row.Response.Count != count {
			t.Errorf("row %s: %+v, want %d samples", name, row, count)
		}
	}
	if row := rows["publish//"]; row.Response.P50 != 0.010007 || row.Service.P50 != 0.009007 {
		t.Errorf("publish: %+v", row)
	}
	if len(rows) != 3*2*3 || len(rows) != len(r.Latency) {
		t.Errorf("%d rows", len(r.Latency))
	}
	tags := make(map[string]int64)
	for _, h := range r.Hists {
		tags[h.Tag] = h.Hist.TotalCount()
	}
	for tag, count := range map[string]int64{
		"publish/response/-/-": 100, "publish/lag/meters/-": 100, "publish/service/-/calm": 40, "storage/response/-/open": 50,
	} {
		if tags[tag] != count {
			t.Errorf("histogram %s has %d samples, want %d", tag, tags[tag], count)
		}
	}
}

func TestBuildTwiceIsTheSame(t *testing.T) {
	build := func() *Result {
		s := newStage(t, nil)
		storm(s, 28*time.Second, nil)
		climbing(s)
		r := s.build()
		r.Plan = nil
		return r
	}
	a, b := build(), build()
	for i := range a.Hists {
		if a.Hists[i].Tag != b.Hists[i].Tag || !a.Hists[i].Hist.Equals(b.Hists[i].Hist) {
			t.Errorf("histogram %d differs", i)
		}
	}
	a.Hists, b.Hists = nil, nil
	if !reflect.DeepEqual(a, b) {
		t.Error("the same run gives another result")
	}
}

func TestUnobservedFleet(t *testing.T) {
	s := newStage(t, nil)
	steady(s, 1)
	s.l.Observable(0, false, false)
	r := s.build()
	if m := r.Fleets[0].Messages; r.Fleets[0].Unobserved == "" || m.Lost+m.Unknown+m.Unsettled > 0 || m.Acked != 10 {
		t.Errorf("%+v", r.Fleets[0])
	}
}

func TestStarts(t *testing.T) {
	in := &Input{
		Plan: &sim.Plan{Acts: []sim.Act{
			{Kind: sim.ActConnect, Origin: "a:1"},
			{Kind: sim.ActSettle, Origin: "a:2", At: sim.Duration(time.Second)},
			{Kind: sim.ActConnect, Origin: "a:3", Segment: 1},
			{Kind: sim.ActConnect, Origin: "a:4", Segment: 1},
		}},
		Started: map[int]sim.Instant{1: 1500 * ms},
	}
	got := starts(in, []Event{
		{At: 2 * ms, Kind: "connect", Origin: "a:1"},
		{At: 3 * ms, Kind: "connect", Origin: "a:3"}, // not its turn
		{At: 1001 * ms, Kind: "settle", Origin: "a:2"},
		{At: 3 * time.Second, Kind: "connect", Origin: "a:3"},
	})
	want := map[int]sim.Instant{0: 0, 1: 1500 * ms, 2: 3 * time.Second}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestLoadModel(t *testing.T) {
	for every, want := range map[time.Duration]string{
		0:                "silent",
		time.Second:      "open: one report every 1s",
		10 * time.Second: "open: one report every 10s",
		time.Minute:      "open: one report every 1m",
		90 * time.Second: "open: one report every 1m30s",
		time.Hour:        "open: one report every 1h",
	} {
		if got := loadModel(&sim.Fleet{Report: sim.Reporting{Every: sim.Duration(every)}}); got != want {
			t.Errorf("%s: %q, want %q", every, got, want)
		}
	}
}

func TestDuties(t *testing.T) {
	p := samplePlan(10, 10)
	sel := func(n int) *sim.Selection { return &sim.Selection{Fleet: "rooms", Count: n} }
	p.Acts = []sim.Act{
		{Kind: sim.ActConnect, Select: sel(8), Rate: 2},
		{Kind: sim.ActOffline, Select: sel(2), Over: sim.Duration(time.Second)},
		{Kind: sim.ActPowerLoss, Select: sel(1)},
		{Kind: sim.ActComeBack, Select: sel(1), Over: sim.Duration(2 * time.Second)},
		{Kind: sim.ActKill, Service: "broker"},
		{Kind: sim.ActConnect, Select: sel(10)}, // never began
	}
	began := make(map[int]sim.Instant)
	for i := range 5 {
		began[i] = time.Duration(i) * 10 * time.Second
	}
	got := duties(p, began)
	want := []struct {
		at sim.Instant
		n  int
		on bool
	}{
		{4 * time.Second, 8, true},
		{10 * time.Second, 2, false},
		{11 * time.Second, 2, true},
		{20 * time.Second, 1, false},
		{32 * time.Second, 1, true},
	}
	if len(got) != len(want) {
		t.Fatalf("%d duties, want %d", len(got), len(want))
	}
	for i, w := range want {
		n := 0
		for _, in := range got[i].member {
			if in {
				n++
			}
		}
		if g := got[i]; g.at != w.at || n != w.n || g.on != w.on || g.fleet != 1 {
			t.Errorf("duty %d: at %s, %d devices, %v; want %+v", i, g.at, n, g.on, w)
		}
	}
}
