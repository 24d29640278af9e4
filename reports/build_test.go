package reports_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/internal/stage"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

func TestBuild(t *testing.T) {
	all := &sim.Selection{Fleet: "meters", All: true}
	s := stage.New(t, func(p *sim.Plan) {
		p.Acts = []sim.Act{
			{Kind: sim.ActConnect, Select: all, Origin: "x.feature:3", Text: "fleet connects"},
			{
				Kind: sim.ActPhaseRun, Phase: "calm", Origin: "x.feature:4",
				At: sim.Duration(time.Second), Hold: sim.Duration(4 * time.Second),
			},
		}
	})
	s.In.T0 = time.Unix(1_700_000_000, 0)
	s.In.Length = 10 * time.Second
	s.In.Started = nil
	s.In.Events = []ledger.Event{
		{At: 1002 * ms, Kind: "phase-run", Origin: "x.feature:4", Act: 1},
		{At: 3 * ms, Kind: "connect", Origin: "x.feature:3", Text: "fleet connects", Act: 0},
		{At: 2 * ms, Kind: ledger.EventServiceUp, Act: ledger.NoAct},
	}
	s.In.Phases = []ledger.PhaseSpan{{Name: "calm", Start: time.Second, End: 5 * time.Second}, {Name: "open", Start: 5 * time.Second}}
	s.Links(true, 500*ms, s.All()...)
	s.Links(false, 9*time.Second, 1, 2)
	s.Links(true, 10*time.Second, 1, 2)
	s.Steady(10)
	s.Fail(sim.OpPublish, sim.MQTTPubackError, 2*time.Second, 2)
	s.Fail(sim.OpConnect, sim.TCPRefused, 2*time.Second, 3)
	r := s.Build()

	if r.Verdict != "" || len(r.Reasons) > 0 || len(r.Findings) > 0 {
		t.Errorf("it is judged: %s %q %+v", r.Verdict, r.Reasons, r.Findings)
	}
	if r.Plan != s.Plan || !r.T0.Equal(s.In.T0) || r.Length != s.In.Length || r.Events[0].Kind != "service-up" {
		t.Errorf("head: %+v", r)
	}
	if r.Phases[1].End != s.In.Length {
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

func checkRows(t *testing.T, r *reports.Result) {
	t.Helper()
	rows := make(map[string]reports.LatencyRow)
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
	build := func() *reports.Result {
		s := stage.New(t, nil)
		s.Storm(28*time.Second, nil)
		s.Climb()
		r := s.Build()
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
	s := stage.New(t, nil)
	s.Steady(1)
	s.Ledger.Observable(0, false, false)
	r := s.Build()
	if m := r.Fleets[0].Messages; r.Fleets[0].Unobserved == "" || m.Lost+m.Unknown+m.Unsettled > 0 || m.Acked != 10 {
		t.Errorf("%+v", r.Fleets[0])
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
		p := stage.Plan(1, 1)
		p.Fleets[0].Skills[0].Every = sim.Duration(every)
		if got := built(p, reports.NewFold(p), nil).Fleets[0].Model; got != want {
			t.Errorf("%s: %q, want %q", every, got, want)
		}
	}
}
