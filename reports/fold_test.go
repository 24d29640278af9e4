package reports_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/internal/stage"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/hist"
	"github.com/myriad-iot/myriad/sim/ledger"
)

const ms = time.Millisecond

// history is what three shards observed in some seconds of a run, as snapshots.
func history(p *sim.Plan, seed uint64) []ledger.Snapshot {
	rnd := rand.New(rand.NewPCG(seed, seed))
	recorders := []*ledger.Recorder{ledger.NewRecorder(p, 0, 0), ledger.NewRecorder(p, 1, 0), ledger.NewRecorder(p, 2, 7)}
	var all []ledger.Snapshot
	edges := map[int]sim.Instant{3: 3200 * ms, 5: 5 * time.Second, 6: 6999 * ms}
	for second := range 8 {
		if at, ok := edges[second]; ok {
			for _, r := range recorders {
				r.Mark(at)
			}
		}
		for shard, r := range recorders {
			for range rnd.IntN(200) {
				now := time.Duration(second)*time.Second + time.Duration(rnd.IntN(1000))*ms
				due := now - time.Duration(rnd.ExpFloat64()*float64(200*ms))
				s := sim.Sample{
					Op: sim.Op(rnd.IntN(int(sim.NumOps))), Fleet: uint16(rnd.IntN(2)), Device: sim.Ordinal(rnd.IntN(10)),
					Due: due, Ready: due, Sent: due, Done: now, Attempts: 1, Endpoint: uint16(rnd.IntN(4)),
				}
				if rnd.IntN(10) == 0 {
					s.Outcome = sim.Outcome(1 + rnd.IntN(5))
				}
				r.Record(&s)
				r.Count(sim.Counter(rnd.IntN(int(sim.NumCounters))), s.Fleet, s.Endpoint, now)
				r.Link(s.Fleet, s.Endpoint, sim.Ordinal(3*rnd.IntN(3)+shard), rnd.IntN(2) == 0, now.Truncate(100*ms))
			}
			r.Gauge(ledger.GaugePoint{At: time.Duration(second+1) * time.Second, Connected: int64(second), Backlog: int64(shard)})
			all = append(all, r.Snapshot())
		}
	}
	return all
}

// built is the result of a run of which only the fold is known, and the target's endpoints.
func built(p *sim.Plan, f *reports.Fold, at sim.Endpoints) *reports.Result {
	n := len(p.Fleets)
	return reports.Build(&reports.Input{
		Plan: p, Fold: f, Endpoints: at, Length: time.Minute,
		Ledger: &ledger.Settlement{Fleets: make([]ledger.Totals, n), Observed: make([]ledger.Observed, n)},
	})
}

// view is everything that can be read from a fold.
func view(t testing.TB, p *sim.Plan, f *reports.Fold) []byte {
	t.Helper()
	var hists []hist.Counts
	for op := range sim.NumOps {
		for m := range ledger.NumMeasures {
			for _, from := range []sim.Instant{0, 3200 * ms, 5 * time.Second, 6999 * ms} {
				hists = append(hists, f.Between(from, from+2*time.Second, op, m, reports.AllFleets))
			}
		}
	}
	b, err := json.Marshal([]any{hists, f.Frames(0, 9), f.Errors(), built(p, f, stage.Brokers(3)).Endpoints, f.Links(reports.Forever), f.Gaps(), f.Seconds(), f.Truncated(), f.Gauged(), f.MeasuredDue(0)})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestFoldOrder folds the same snapshots in many orders, some of them twice.
func TestFoldOrder(t *testing.T) {
	p := stage.Plan(10, 10)
	for seed := range uint64(5) {
		all := history(p, seed)
		add := func(f *reports.Fold, s ledger.Snapshot) {
			if err := f.Add(&s); err != nil {
				t.Fatal(err)
			}
		}
		straight := reports.NewFold(p)
		for _, s := range all {
			add(straight, s)
		}
		want := view(t, p, straight)
		rnd := rand.New(rand.NewPCG(seed, 99))
		for range 10 {
			f := reports.NewFold(p)
			for _, i := range rnd.Perm(len(all)) {
				add(f, all[i])
				if rnd.IntN(3) == 0 {
					add(f, all[rnd.IntN(i+1)]) // a copy, or one that comes again later
				}
			}
			if got := view(t, p, f); !bytes.Equal(got, want) {
				t.Fatalf("seed %d: another order gives another result", seed)
			}
		}
	}
}

// TestFoldCounts compares a fold with the plain sums of what was recorded.
func TestFoldCounts(t *testing.T) {
	p := stage.Plan(10, 1)
	r := ledger.NewRecorder(p, 0, 0)
	f := reports.NewFold(p)
	rnd := rand.New(rand.NewPCG(8, 8))
	want := make(map[int]hist.Counts)
	run := make(hist.Counts)
	for i := range 20_000 {
		s := stage.Publish(time.Duration(rnd.IntN(10_000))*ms, time.Duration(rnd.IntN(2_000_000))*time.Microsecond)
		r.Record(s)
		second := int(s.Due / time.Second)
		if want[second] == nil {
			want[second] = make(hist.Counts)
		}
		us := uint64((s.Done - s.Due) / time.Microsecond)
		lo, _ := hist.Fine().Bounds(hist.Fine().Index(us))
		want[second][hist.Coarse().Index(lo)]++
		run[hist.Fine().Index(us)]++
		if i%1500 == 0 {
			snap := r.Snapshot()
			if err := f.Add(&snap); err != nil {
				t.Fatal(err)
			}
		}
	}
	snap := r.Snapshot()
	if err := f.Add(&snap); err != nil {
		t.Fatal(err)
	}
	if got := f.Between(0, reports.Forever, sim.OpPublish, ledger.Response, reports.AllFleets); !reflect.DeepEqual(got, run) {
		t.Error("the run's histogram is not the sum of the samples")
	}
	for second := range 10 {
		if got := f.Responses(sim.OpPublish, second, second+1, reports.AllFleets); !reflect.DeepEqual(got, want[second]) {
			t.Errorf("second %d: not the sum of its samples", second)
		}
	}
}

func TestFoldGaps(t *testing.T) {
	p := stage.Plan(1, 1)
	f := reports.NewFold(p)
	for _, s := range []ledger.Snapshot{{Shard: 1, Seq: 0}, {Shard: 1, Seq: 4}, {Shard: 1, Epoch: 1, Seq: 0}, {Shard: 0, Seq: 1}} {
		if err := f.Add(&s); err != nil {
			t.Fatal(err)
		}
	}
	want := []reports.Gap{{Shard: 0, From: 0, To: 0}, {Shard: 1, From: 1, To: 3}}
	if got := f.Gaps(); !reflect.DeepEqual(got, want) {
		t.Errorf("Gaps() = %v, want %v", got, want)
	}
	for seq := range uint32(4) { // late, not lost
		if err := f.Add(&ledger.Snapshot{Shard: 1, Seq: seq}); err != nil {
			t.Fatal(err)
		}
	}
	if got := f.Gaps(); !reflect.DeepEqual(got, want[:1]) {
		t.Errorf("Gaps() = %v, want %v", got, want[:1])
	}
}

func TestSnapshotSurvivesEncoding(t *testing.T) {
	p := stage.Plan(10, 10)
	all := history(p, 3)
	straight, viaJSON, viaCBOR := reports.NewFold(p), reports.NewFold(p), reports.NewFold(p)
	for i := range all {
		var a, b ledger.Snapshot
		text, err := json.Marshal(all[i])
		if err == nil {
			err = json.Unmarshal(text, &a)
		}
		if err != nil {
			t.Fatal(err)
		}
		binary, err := cbor.Marshal(all[i])
		if err == nil {
			err = cbor.Unmarshal(binary, &b)
		}
		if err != nil {
			t.Fatal(err)
		}
		for f, s := range map[*reports.Fold]*ledger.Snapshot{straight: &all[i], viaJSON: &a, viaCBOR: &b} {
			if err := f.Add(s); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := view(t, p, straight)
	if !bytes.Equal(view(t, p, viaJSON), want) || !bytes.Equal(view(t, p, viaCBOR), want) {
		t.Error("snapshots change on their way")
	}
}

// A damaged snapshot is refused as a whole, and leaves nothing behind.
func TestFoldRefuses(t *testing.T) {
	p := stage.Plan(2, 2)
	for name, s := range map[string]ledger.Snapshot{
		"cells":                 {Cells: []byte{1, 0}},
		"good edges, bad cells": {Edges: []sim.Instant{1}, Cells: []byte{1, 0}},
		"error of a stranger":   {Errors: []ledger.ErrorStat{{Outcome: sim.TCPReset, Devices: []ledger.FirstFailed{{Device: 2}}}}},
		"good link, bad gauge":  {Links: []ledger.LinkChange{{}}, Gauges: []ledger.GaugePoint{{Fleet: 9}}},
	} {
		f := reports.NewFold(p)
		if err := f.Add(&s); err == nil {
			t.Errorf("%s: no error", name)
		}
		if !bytes.Equal(view(t, p, f), view(t, p, reports.NewFold(p))) {
			t.Errorf("%s: left a trace", name)
		}
		good := ledger.Snapshot{Gauges: []ledger.GaugePoint{{At: time.Second, Connected: 2}}}
		if err := f.Add(&good); err != nil || f.Frames(0, 1)[0].Connected != 2 {
			t.Errorf("%s: when it comes again, undamaged, it counts: %v", name, err)
		}
	}
}

func TestFoldKnowsOfLostLinks(t *testing.T) {
	f := reports.NewFold(stage.Plan(1, 1))
	if err := f.Add(&ledger.Snapshot{Truncated: true}); err != nil || !f.Truncated() {
		t.Errorf("%v, truncated %v", err, f.Truncated())
	}
}

func FuzzFoldAdd(f *testing.F) {
	p := stage.Plan(4, 4)
	for _, s := range history(stage.Plan(10, 10), 1)[:4] {
		f.Add(s.Cells)
	}
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x01})
	f.Fuzz(func(t *testing.T, cells []byte) {
		fold := reports.NewFold(p)
		s := ledger.Snapshot{Cells: cells}
		if fold.Add(&s) != nil {
			return
		}
		var sum, want uint64
		for op := range sim.NumOps {
			for m := range ledger.NumMeasures {
				sum += fold.Between(0, reports.Forever, op, m, reports.AllFleets).Total()
			}
		}
		s.Each(func(_ ledger.Series, list []hist.Bucket) {
			for _, b := range list {
				want += b.N
			}
		})
		if sum != want {
			t.Fatalf("%d counted of %d", sum, want)
		}
	})
}

func BenchmarkFoldAdd(b *testing.B) {
	p := stage.Plan(10_000, 1)
	r := ledger.NewRecorder(p, 0, 0)
	rnd := rand.New(rand.NewPCG(1, 1))
	for i := range 10_000 { // a second of 10,000 messages
		for _, op := range []sim.Op{sim.OpPublish, sim.OpEndToEnd, sim.OpStorage} {
			s := stage.Publish(time.Duration(i)*100*time.Microsecond, time.Duration(float64(ms)*(1+rnd.ExpFloat64())))
			s.Op = op
			r.Record(s)
		}
		r.Count(sim.CountDue, 0, 0, time.Duration(i)*100*time.Microsecond)
	}
	s := r.Snapshot()
	f := reports.NewFold(p)
	b.ReportAllocs()
	b.ReportMetric(float64(len(s.Cells)), "cell-bytes")
	b.ResetTimer()
	for i := range b.N {
		s.Seq = uint32(i)
		if err := f.Add(&s); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(s.Cells)), "cell-bytes")
}

// What is known of a second is known when all shards have told of it, but for those that are lost.
func TestFoldTold(t *testing.T) {
	f := reports.NewFold(stage.Plan(10, 10))
	tell := func(shard uint32, second int) {
		s := ledger.Snapshot{Shard: shard, Seq: uint32(second), Gauges: []ledger.GaugePoint{{At: sim.Instant(second) * time.Second}}}
		if err := f.Add(&s); err != nil {
			t.Fatal(err)
		}
	}
	if f.Told() != 0 {
		t.Error("nobody has told anything")
	}
	for second := 1; second <= 30; second++ {
		tell(0, second)
		if second <= 28 {
			tell(1, second)
		}
		if second <= 5 {
			tell(2, second)
		}
		want := min(second, 28)
		if second <= 15 {
			want = min(want, 5)
		}
		if got := f.Told(); got != want {
			t.Errorf("after %d s: %d, want %d", second, got, want)
		}
	}
}
