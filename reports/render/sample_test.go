package render

import (
	"bytes"
	"flag"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs from what was rendered (-update rewrites it); got:\n%s", path, got)
	}
}

const second = sim.Instant(time.Second)

// sampleRun is a run of two stories: a storm that breaks two promises, and a quiet one.
func sampleRun() *reports.Run {
	start := time.Date(2026, 3, 14, 9, 26, 53, 589_000_000, time.UTC)
	storm, quiet := stormResult(start.Add(2*time.Second)), quietResult(start.Add(65*time.Second))
	return &reports.Run{
		Info: reports.Info{
			Schema: reports.Schema, Version: "0.1.0", GoVersion: "go1.26.0", Started: start,
			Ended:   start.Add(96 * time.Second),
			Command: []string{"myriad", "run", "features/storm.feature", "--seed", "42", "--set", "site=north wing"},
			Seed:    42, Scale: 1,
			Host: reports.Host{Name: "bench", OS: "linux", Kernel: "6.12.0", CPUs: 2, MemoryBytes: 24 << 30,
				Descriptors: 20000},
			Target: map[string]string{"kind": "embedded", "mqtt": "127.0.0.1:1883"},
			Plans:  []string{storm.Plan.Hash(), quiet.Plan.Hash()},
		},
		Stories: []*reports.Result{storm, quiet},
	}
}

func quantiles(n int64, p50, p99, top float64) reports.Quantiles {
	return reports.Quantiles{Count: n, P50: p50, P90: (p50 + p99) / 2, P99: p99, P999: (p99 + top) / 2, Max: top,
		Mean: p50 * 1.1}
}

func histogramOf(n int64, micros ...int64) *hdrhistogram.Histogram {
	h := hdrhistogram.New(1, int64(time.Hour/time.Microsecond), 3)
	for i := range n {
		if err := h.RecordValue(micros[int(i)%len(micros)]); err != nil {
			panic(err)
		}
	}
	return h
}

func stormResult(t0 time.Time) *reports.Result {
	origin := func(line string) string { return "features/storm.feature:" + line }
	plan := &sim.Plan{
		Schema: sim.PlanSchema, Seed: 42, WarmUp: sim.Duration(3 * time.Second),
		Story: sim.Story{Feature: "Reconnect storms", Name: "A broker dies under a thousand meters",
			URI: "features/storm.feature", Line: 12},
		Fleets: []sim.Fleet{
			{Name: "meters", Count: 1000}, {Name: "rooms", Count: 200},
		},
		Acts: []sim.Act{
			{Kind: sim.ActConnect, Text: `fleet "meters" connects evenly over 5s`, Origin: origin("17")},
			{Kind: sim.ActFault, Fault: &sim.Fault{Site: sim.SiteService, Name: "broker", Verb: "kill", For: sim.Duration(6 * time.Second)}, Text: `"broker" is killed and stays down for 6s`,
				Origin: origin("19")},
		},
	}
	r := &reports.Result{
		Plan: plan, Verdict: reports.Failed, T0: t0, Length: 60 * second,
		Phases: []ledger.PhaseSpan{
			{Name: "steady", Start: 5 * second, End: 25 * second},
			{Name: "outage", Start: 25 * second, End: 31 * second},
			{Name: "recovery", Start: 31 * second, End: 60 * second},
		},
		Events: []ledger.Event{
			{At: 0, Kind: "connect", Text: `fleet "meters" connects evenly over 5s`, Origin: origin("17")},
			{At: 25 * second, Kind: "phase-start", Text: "phase outage", Act: ledger.NoAct},
			{At: 25 * second, Kind: "fault", Fault: "kill", Text: `"broker" is killed and stays down for 6s`, Origin: origin("19"), Act: 1},
			{At: 31 * second, Kind: "service-up", Text: "broker is back", Act: 1, Fault: "kill"},
			{At: 33 * second, Kind: "come-back", Text: "90% are connected", Act: ledger.NoAct},
		},
		Messages: ledger.Totals{
			Due: 58800, Sent: 58000, Acked: 57900, Received: 46890, Stored: 11000, Delivered: 57890, Lost: 3,
			Duplicated: 12,
			Reordered:  1, Unknown: 100, Unanswered: 100, Unsettled: 7, Resent: 140, Dropped: 800, LostQoS: [3]uint64{0, 3},
			SentQoS: [3]uint64{0, 58000},
		},
		Lag: quantiles(58000, 0.00012, 0.0014, 0.0093),
		Latency: []reports.LatencyRow{
			{Op: sim.OpConnect, Response: quantiles(2200, 0.004, 0.81, 2.4),
				Service: quantiles(2200, 0.0031, 0.034, 0.09)},
			{Op: sim.OpPublish, Response: quantiles(57900, 0.0012, 5.31, 6.9),
				Service: quantiles(57900, 0.0009, 0.012, 0.21)},
			{Op: sim.OpPublish, Fleet: "meters", Phase: "outage", Response: quantiles(420, 3.1, 5.9, 6.9),
				Service: quantiles(420, 0.2, 0.4, 0.5)},
			{Op: sim.OpEndToEnd, Response: reports.Quantiles{Count: 46890, Unanswered: 11110, LeftOut: 7, P50: 0.0021, P90: math.Inf(1),
				P99: math.Inf(1), P999: math.Inf(1), Max: math.Inf(1), Mean: math.Inf(1)}},
		},
		Errors: []reports.ErrorClass{
			{Class: "tcp connection refused", Op: "connect", Count: 12431, WarmUp: 31, First: 25 * second,
				Last:    31 * second,
				Devices: []string{"meters-1", "meters-7", "meters-12", "meters-40", "meters-41"}},
			{Class: "tcp connection reset", Op: "publish", Count: 1000, First: 25 * second, Last: 25 * second,
				Devices: []string{"meters-3"}},
		},
		Findings: []reports.Finding{
			{Check: &sim.Check{Kind: sim.CheckSchedule,
				Text: "throughout the run devices keep their schedule within 50ms", Origin: origin("14")},
				Verdict: reports.Passed, Value: 0.0014, Limit: 0.05, Margin: 0.0486, N: 58000, Unit: "s"},
			{Check: &sim.Check{Kind: sim.CheckLatency, Metric: sim.OpPublish, Quantile: 0.99, Bound: sim.Below,
				Limit: 0.2,
				Text:  "p99 publish latency is below 200ms during the run", Origin: origin("21")},
				Verdict: reports.Failed, Value: 5.31, Limit: 0.2, Margin: -5.11, N: 57900, Unit: "s"},
			{Check: &sim.Check{Kind: sim.CheckLatency, Metric: sim.OpConnect, Quantile: 0.5, Bound: sim.Below, Limit: 2, Fleet: "meters",
				Text: "p50 connect latency of meters is below 2s", Origin: origin("25")},
				Verdict: reports.Failed, Value: math.Inf(1), Limit: 2, Margin: math.Inf(-1), N: 2500, Unit: "s", Unanswered: 1300, LeftOut: 7,
				Note: "1300 of 2500 were never answered, and count as slower than any limit"},
			{Check: &sim.Check{Kind: sim.CheckLost, Bound: sim.Exactly, Text: "no acknowledged message is lost",
				Origin: origin("22")},
				Verdict: reports.Failed, Value: 3, Limit: 0, Margin: -3, N: 57900, Unit: "messages",
				Note: `3 messages of 2 devices of "meters" were acknowledged and never seen: meters-7 41-42, meters-12 40`},
			{Check: &sim.Check{Kind: sim.CheckDelivered, Bound: sim.AtLeast,
				Text: "at least 99% of messages are delivered", Origin: origin("23")},
				Verdict: reports.Passed, Value: 99.98, Limit: 99, Margin: 0.98, N: 57900, Unit: "%"},
			{Check: &sim.Check{Kind: sim.CheckLatency, Metric: sim.OpStorage, Quantile: 0.999, Bound: sim.Below,
				Limit: 1,
				Text:  "p99.9 storage latency is below 1s", Origin: origin("24")},
				Verdict: reports.NotJudged, Value: math.NaN(), Limit: 1, Margin: math.NaN(), Unit: "s",
				Note: "the target keeps no journal of what it stores"},
		},
		DevicesOmitted: 40,
		Devices: []ledger.Evidence{
			{Device: "meters-7", Due: 49, Lost: "41-42", Duplicated: 1},
			{Device: "meters-12", Due: 49, Lost: "40-40", Reordered: 1},
		},
		Hists: []reports.TaggedHist{
			{Tag: "connect/response/-/-", Hist: histogramOf(2200, 4000, 5000, 810000)},
			{Tag: "publish/response/-/-", Hist: histogramOf(57900, 900, 1200, 1500, 5310000)},
			{Tag: "publish/response/meters, north/out age%", Hist: histogramOf(100, 3100000)},
			{Tag: "end-to-end/response/-/-", Hist: histogramOf(46890, 2100)},
			{Tag: "connect/lag/-/-", Hist: histogramOf(2200, 200)},
			{Tag: "publish/lag/-/-", Hist: histogramOf(55800, 120)},
			{Tag: "publish/lag/meters/-", Hist: histogramOf(55000, 120)},
		},
	}
	r.Fleets = []reports.FleetResult{
		{Name: "meters", Devices: 1000, ConnectedPeak: 1000, Protocol: "MQTT 5, QoS 1",
			Model: "open: one report every 1s", Messages: r.Messages},
		{Name: "rooms", Devices: 200, ConnectedPeak: 200, Protocol: "CoAP, CON", Model: "open: one report every 5s",
			Messages: ledger.Totals{Due: 2400, Sent: 2400, Acked: 2400, Stored: 2400, Delivered: 2400}},
	}
	r.Endpoints = []reports.EndpointLoad{
		{Address: "mqtt://127.0.0.1:1883", Devices: 500, Connected: 500, Connects: 1100, Sent: 28000, Acked: 27950, Failures: 6700},
		{Address: "mqtt://127.0.0.1:1884", Devices: 500, Connected: 500, Connects: 1000, Sent: 27600, Acked: 27550, Failures: 6731},
		{Address: "coap://127.0.0.1:5683", Devices: 200, Connected: 200, Connects: 200, Sent: 2400, Acked: 2400},
	}
	r.Frames = stormFrames()
	return r
}

// stormFrames: 1,000 meters connect over 5 s, the broker is away from 25 s to 31 s, a second is missing.
func stormFrames() []reports.Frame {
	var frames []reports.Frame
	for s := range 60 {
		if s == 45 {
			continue
		}
		wave := 1 + 0.3*math.Sin(float64(s))
		m := reports.Frame{Second: s, Fleet: "meters", Due: 1000, Sent: 1000, Acked: 1000, Received: 1000,
			Connected: 1000,
			Latency:   map[string]reports.Quantiles{"publish": quantiles(1000, 0.0012*wave, 0.012*wave, 0.05*wave*wave)}}
		switch {
		case s < 5:
			n := uint64(200 * s)
			m.Due, m.Sent, m.Acked, m.Received, m.Connected, m.Attempts = n, n, n, n, int64(200*(s+1)), 200
			m.Latency["connect"] = quantiles(200, 0.004, 0.03, 0.09)
			if s == 0 {
				delete(m.Latency, "publish")
			}
		case s >= 25 && s < 31:
			m.Sent, m.Acked, m.Received, m.Connected, m.Attempts, m.Errors = 0, 0, 0, 0, 2000, 2000
			d := float64(31 - s)
			m.Latency["publish"] = quantiles(900, d, d+0.8, d+0.9)
		case s >= 31 && s < 36:
			m.Sent, m.Acked, m.Received, m.Connected, m.Attempts = 2100, 2050, 2050, int64(200*(s-30)), 200
			m.Latency["connect"] = quantiles(200, 0.01, 0.8, 2.4)
		}
		m.Lag = quantiles(int64(m.Sent), 0.0001, 0.001, 0.002)
		m.BytesSent, m.BytesReceived = 120*m.Sent+200*m.Attempts, 4*m.Acked
		frames = append(frames, m, reports.Frame{Second: s, Fleet: "rooms", Due: 40, Sent: 40, Acked: 40,
			Stored: 40, Connected: 200,
			Latency: map[string]reports.Quantiles{"publish": quantiles(40, 0.0008, 0.002*wave, 0.003*wave)}})
	}
	return frames
}

func quietResult(t0 time.Time) *reports.Result {
	totals := ledger.Totals{Due: 100, Sent: 100, Acked: 100, Received: 100, Delivered: 100, SentQoS: [3]uint64{0, 100}}
	return &reports.Result{
		Plan: &sim.Plan{Schema: sim.PlanSchema, Seed: 42, Fleets: []sim.Fleet{{Name: "meters", Count: 10}},
			Story: sim.Story{Feature: "Reconnect storms", Name: "A quiet afternoon", URI: "features/storm.feature",
				Line: 31}},
		Verdict: reports.Passed, T0: t0, Length: 10 * second, Messages: totals,
		Endpoints: []reports.EndpointLoad{{Address: "mqtt://127.0.0.1:1883", Devices: 10, Connected: 10, Connects: 10, Sent: 100, Acked: 100}},
		Fleets: []reports.FleetResult{{Name: "meters", Devices: 10, ConnectedPeak: 10,
			Protocol: "MQTT 3.1.1, QoS 1", Messages: totals}},
		Lag: quantiles(100, 0.0001, 0.0009, 0.001),
		Latency: []reports.LatencyRow{{Op: sim.OpPublish, Response: quantiles(100, 0.0011, 0.002, 0.003),
			Service: quantiles(100, 0.001, 0.002, 0.003)}},
		Findings: []reports.Finding{{Check: &sim.Check{Kind: sim.CheckDuplicates, Text: "no message arrives twice",
			Origin: "features/storm.feature:36"},
			Verdict: reports.Passed, Unit: "messages", N: 100}},
		Frames: []reports.Frame{
			{Second: 0, Fleet: "meters", Due: 50, Sent: 50, Acked: 50, Received: 50, Connected: 10,
				Lag:     quantiles(50, 0.0001, 0.0009, 0.001),
				Latency: map[string]reports.Quantiles{"publish": quantiles(50, 0.0011, 0.002, 0.003)}},
			{Second: 1, Fleet: "meters", Due: 50, Sent: 50, Acked: 50, Received: 50, Connected: 10},
		},
		Hists: []reports.TaggedHist{{Tag: "publish/response/-/-", Hist: histogramOf(100, 1100)},
			{Tag: "publish/lag/-/-", Hist: histogramOf(100, 100)}},
	}
}

// hostile makes every text of a run an attack on whoever prints it.
const hostileText = "<script>alert(\"x\")</script> & 'q' ` | \x1b[2J \x00 \u202e ::error:: \xff"

func hostileRun() *reports.Run {
	run := sampleRun()
	run.Info.Version, run.Info.Command = hostileText, []string{"myriad", hostileText}
	run.Info.Host.Name, run.Info.Target = hostileText, map[string]string{hostileText: hostileText}
	r := run.Stories[0]
	r.Plan.Story = sim.Story{Feature: hostileText, Name: hostileText, URI: hostileText, Line: 1}
	r.Reasons = []string{hostileText}
	for _, text := range []*string{
		&r.Phases[0].Name, &r.Fleets[0].Name, &r.Fleets[0].Model, &r.Fleets[0].Protocol, &r.Fleets[1].Unobserved,
		&r.Findings[1].Check.Text, &r.Findings[1].Check.Origin, &r.Findings[1].Note, &r.Findings[1].Unit,
		&r.Latency[0].Fleet, &r.Latency[0].Phase, &r.Plan.Acts[0].Text, &r.Hists[0].Tag,
		&r.Events[0].Text, (*string)(&r.Events[0].Kind), &r.Events[0].Origin,
	} {
		*text = hostileText
	}
	r.Endpoints[0].Address = hostileText
	r.Errors[0] = reports.ErrorClass{Class: hostileText, Op: hostileText, Count: 1, Devices: []string{hostileText}}
	r.Devices[0] = ledger.Evidence{Device: hostileText, Lost: hostileText}
	for i := range r.Frames {
		if r.Frames[i].Fleet == "meters" {
			r.Frames[i].Fleet = hostileText
		}
	}
	return run
}
