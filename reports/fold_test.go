package reports

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/myriad-iot/myriad/sim"
)

// history is what three shards observed in some seconds of a run, as snapshots.
func history(p *sim.Plan, seed uint64) []Snapshot {
	rnd := rand.New(rand.NewPCG(seed, seed))
	recorders := []*Recorder{NewRecorder(p, 0, 0), NewRecorder(p, 1, 0), NewRecorder(p, 2, 7)}
	var all []Snapshot
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
			r.Gauge(0, time.Duration(second+1)*time.Second, int64(second), int64(shard))
			all = append(all, r.Snapshot())
		}
	}
	return all
}

// view is everything that can be read from a fold.
func view(t testing.TB, f *Fold) []byte {
	t.Helper()
	var hists []counts
	for op := range sim.NumOps {
		for m := range measures {
			for _, from := range []sim.Instant{0, 3200 * ms, 5 * time.Second, 6999 * ms} {
				hists = append(hists, f.between(from, from+2*time.Second, op, m, allFleets))
			}
		}
	}
	b, err := json.Marshal([]any{hists, f.Frames(0, 9), f.errors.list(), f.loads.list(), f.changes(forever), f.Gaps(), f.lastSecond()})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestFoldOrder folds the same snapshots in many orders, some of them twice.
func TestFoldOrder(t *testing.T) {
	p := samplePlan(10, 10)
	for seed := range uint64(5) {
		all := history(p, seed)
		add := func(f *Fold, s Snapshot) {
			if err := f.Add(&s); err != nil {
				t.Fatal(err)
			}
		}
		straight := NewFold(p)
		for _, s := range all {
			add(straight, s)
		}
		want := view(t, straight)
		rnd := rand.New(rand.NewPCG(seed, 99))
		for range 10 {
			f := NewFold(p)
			for _, i := range rnd.Perm(len(all)) {
				add(f, all[i])
				if rnd.IntN(3) == 0 {
					add(f, all[rnd.IntN(i+1)]) // a copy, or one that comes again later
				}
			}
			if got := view(t, f); !bytes.Equal(got, want) {
				t.Fatalf("seed %d: another order gives another result", seed)
			}
		}
	}
}

// TestFoldCounts compares a fold with the plain sums of what was recorded.
func TestFoldCounts(t *testing.T) {
	p := samplePlan(10, 1)
	r := NewRecorder(p, 0, 0)
	f := NewFold(p)
	rnd := rand.New(rand.NewPCG(8, 8))
	want := make(map[int]counts)
	run := make(counts)
	for i := range 20_000 {
		s := publish(time.Duration(rnd.IntN(10_000))*ms, time.Duration(rnd.IntN(2_000_000))*time.Microsecond)
		r.Record(s)
		second := int(s.Due / time.Second)
		if want[second] == nil {
			want[second] = make(counts)
		}
		us := uint64((s.Done - s.Due) / time.Microsecond)
		lo, _ := fine().bounds(fine().index(us))
		want[second][coarse().index(lo)]++
		run[fine().index(us)]++
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
	if got := f.between(0, forever, sim.OpPublish, response, allFleets); !reflect.DeepEqual(got, run) {
		t.Error("the run's histogram is not the sum of the samples")
	}
	for second := range 10 {
		if got := f.responsesIn(sim.OpPublish, second); !reflect.DeepEqual(got, want[second]) {
			t.Errorf("second %d: not the sum of its samples", second)
		}
	}
}

func TestFoldGaps(t *testing.T) {
	p := samplePlan(1, 1)
	f := NewFold(p)
	for _, s := range []Snapshot{{Shard: 1, Seq: 0}, {Shard: 1, Seq: 4}, {Shard: 1, Epoch: 1, Seq: 0}, {Shard: 0, Seq: 1}} {
		if err := f.Add(&s); err != nil {
			t.Fatal(err)
		}
	}
	want := []Gap{{Shard: 0, From: 0, To: 0}, {Shard: 1, From: 1, To: 3}}
	if got := f.Gaps(); !reflect.DeepEqual(got, want) {
		t.Errorf("Gaps() = %v, want %v", got, want)
	}
	for seq := range uint32(4) { // late, not lost
		if err := f.Add(&Snapshot{Shard: 1, Seq: seq}); err != nil {
			t.Fatal(err)
		}
	}
	if got := f.Gaps(); !reflect.DeepEqual(got, want[:1]) {
		t.Errorf("Gaps() = %v, want %v", got, want[:1])
	}
}

func TestSnapshotSurvivesEncoding(t *testing.T) {
	p := samplePlan(10, 10)
	all := history(p, 3)
	straight, viaJSON, viaCBOR := NewFold(p), NewFold(p), NewFold(p)
	for i := range all {
		var a, b Snapshot
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
		for f, s := range map[*Fold]*Snapshot{straight: &all[i], viaJSON: &a, viaCBOR: &b} {
			if err := f.Add(s); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := view(t, straight)
	if !bytes.Equal(view(t, viaJSON), want) || !bytes.Equal(view(t, viaCBOR), want) {
		t.Error("snapshots change on their way")
	}
}

func TestFoldRefuses(t *testing.T) {
	p := samplePlan(2, 2)
	one := func(c cell) []byte { return packCells([]tallied{{c, 1}}) }
	good := newCell(3, 0, sim.OpPublish, response, 0, 5)
	for name, s := range map[string]Snapshot{
		"cells cut short":      {Cells: one(good)[:3]},
		"count of nothing":     {Cells: []byte{1, 0}},
		"no such fleet":        {Cells: one(newCell(3, 0, sim.OpPublish, response, 2, 5))},
		"no such bucket":       {Cells: one(newCell(3, 0, sim.OpPublish, response, 0, 60_000))},
		"no such happening":    {Cells: one(newCell(3, 0, 0, happened, 0, happenings))},
		"no such part":         {Cells: one(newCell(3, 1, 0, response, 0, 5))},
		"edges out of order":   {Edges: []sim.Instant{2, 1}},
		"edge before the run":  {Edges: []sim.Instant{0}},
		"success as an error":  {Errors: []ErrorStat{{}}},
		"no such operation":    {Errors: []ErrorStat{{Op: sim.NumOps, Outcome: sim.TCPReset}}},
		"error of a stranger":  {Errors: []ErrorStat{{Outcome: sim.TCPReset, Devices: []FirstFailed{{Device: 2}}}}},
		"link of a stranger":   {Links: []LinkChange{{Device: 2}}},
		"gauge of no fleet":    {Gauges: []GaugePoint{{Fleet: 2}}},
		"load of no fleet":     {Loads: []Load{{Fleet: 2, Sent: 1}}},
		"too great a load":     {Loads: []Load{{Acked: maxLoad + 1}}},
		"good cell, bad gauge": {Cells: one(good), Gauges: []GaugePoint{{Fleet: 9}}},
	} {
		f := NewFold(p)
		if err := f.Add(&s); err == nil {
			t.Errorf("%s: no error", name)
		}
		if !bytes.Equal(view(t, f), view(t, NewFold(p))) || len(f.streams) > 0 {
			t.Errorf("%s: left a trace", name)
		}
	}
}

func TestLinkLogIsBounded(t *testing.T) {
	p := samplePlan(1, 1)
	r := NewRecorder(p, 0, 0)
	for i := range maxLinks + 1 {
		r.Link(0, 0, 0, i%2 == 0, time.Duration(i))
	}
	s := r.Snapshot()
	if !s.Truncated || len(s.Links) != maxLinks {
		t.Errorf("%d changes kept, truncated %v", len(s.Links), s.Truncated)
	}
	f := NewFold(p)
	if err := f.Add(&s); err != nil || !f.truncated {
		t.Errorf("%v, truncated %v", err, f.truncated)
	}
	if again := r.Snapshot(); again.Truncated {
		t.Error("the flag is of one snapshot only")
	}
}

func FuzzFoldAdd(f *testing.F) {
	p := samplePlan(4, 4)
	for _, s := range history(samplePlan(10, 10), 1)[:4] {
		f.Add(s.Cells)
	}
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x01})
	f.Fuzz(func(t *testing.T, cells []byte) {
		fold := NewFold(p)
		s := Snapshot{Cells: cells}
		if fold.Add(&s) != nil {
			return
		}
		var sum, want uint64
		for op := range sim.NumOps {
			for m := range measures {
				sum += fold.between(0, forever, op, m, allFleets).total()
			}
		}
		_ = eachCell(cells, func(_ cell, n uint64) error { want += n; return nil })
		if sum != want {
			t.Fatalf("%d counted of %d", sum, want)
		}
	})
}

func BenchmarkFoldAdd(b *testing.B) {
	p := samplePlan(10_000, 1)
	r := NewRecorder(p, 0, 0)
	rnd := rand.New(rand.NewPCG(1, 1))
	for i := range 10_000 { // a second of 10,000 messages
		for _, op := range []sim.Op{sim.OpPublish, sim.OpEndToEnd, sim.OpStorage} {
			s := publish(time.Duration(i)*100*time.Microsecond, time.Duration(float64(ms)*(1+rnd.ExpFloat64())))
			s.Op = op
			r.Record(s)
		}
		r.Count(sim.CountDue, 0, 0, time.Duration(i)*100*time.Microsecond)
	}
	s := r.Snapshot()
	f := NewFold(p)
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
	f := NewFold(samplePlan(10, 10))
	tell := func(shard uint32, second int) {
		f.addGauge(shard, GaugePoint{At: sim.Instant(second) * time.Second})
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
