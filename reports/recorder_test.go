package reports_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/internal/stage"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/hist"
	"github.com/myriad-iot/myriad/sim/ledger"
)

func TestRecorderAttribution(t *testing.T) {
	p := stage.Plan(4, 1)
	p.WarmUp = sim.Duration(2500 * ms)
	r := ledger.NewRecorder(p, 0, 0)
	r.Mark(4300 * ms)
	r.Mark(4700*ms + 999) // rounded down, as stamps are
	for _, s := range []*sim.Sample{
		stage.Publish(2400*ms, 10*ms), // in the warm-up
		stage.Publish(2500*ms, 20*ms),
		stage.Publish(4299*ms, 30*ms),
		stage.Publish(4300*ms, 40*ms),
		stage.Publish(4699*ms, 50*ms),
		stage.Publish(4700*ms, 1060*ms), // answered in the next second
	} {
		r.Record(s)
	}
	late := stage.Publish(4400*ms, 5*time.Second)
	late.Outcome = sim.MQTTPubackError
	r.Record(late)
	r.Count(sim.CountDue, 0, 0, 2400*ms)
	r.Count(sim.CountDue, 0, 0, 2500*ms)
	f := stage.Folded(t, p, r)

	for _, tt := range []struct {
		from, to sim.Instant
		want     []float64
	}{
		{0, reports.Forever, []float64{0.02, 0.03, 0.04, 0.05, 1.06}},
		{4300 * ms, 4700 * ms, []float64{0.04, 0.05}},
		{0, 4300 * ms, []float64{0.02, 0.03}},
		{4700 * ms, reports.Forever, []float64{1.06}},
	} {
		h := f.Between(tt.from, tt.to, sim.OpPublish, ledger.Response, reports.AllFleets)
		if h.Total() != uint64(len(tt.want)) {
			t.Errorf("%s-%s: %d samples, want %d", tt.from, tt.to, h.Total(), len(tt.want))
		}
		for i, want := range tt.want {
			got := h.Quantile(hist.Fine(), (float64(i)+1)/float64(len(tt.want)))
			if got < want || got > want*1.001 {
				t.Errorf("%s-%s: sample %d is %v, want %v", tt.from, tt.to, i, got, want)
			}
		}
	}
	if n := f.MeasuredDue(0); n != 1 {
		t.Errorf("%d measured messages, want 1", n)
	}
	frames := f.Frames(0, 6)
	if fr := frames[2*4]; fr.Latency["publish"].Count != 4 || fr.Acked != 3 || fr.Lag.Count != 4 {
		t.Errorf("second 4: %+v", fr)
	}
	if fr := frames[2*2]; fr.Latency["publish"].Count != 2 || fr.Due != 2 {
		t.Errorf("second 2, the warm-up's last: %+v", fr)
	}
	if done, failed := f.Done(sim.OpPublish, 9, reports.AllFleets); done != 1 || failed != 1 {
		t.Errorf("second 9: %d done, %d failed", done, failed)
	}
	if fr := f.Frames(9, 10)[0]; fr.Errors != 1 || fr.Latency != nil {
		t.Errorf("second 9: %+v", fr)
	}
}

func TestRecorderKnowsPlannedEdges(t *testing.T) {
	p := stage.Plan(1, 1)
	p.Acts = []sim.Act{
		{Kind: sim.ActPhaseRun, Phase: "a", At: sim.Duration(time.Second), Hold: sim.Duration(1500 * ms)},
		{Kind: sim.ActPhaseRun, Phase: "b", Segment: 1, Hold: sim.Duration(time.Hour)},
	}
	f := stage.Folded(t, p, ledger.NewRecorder(p, 0, 0))
	for at, want := range map[sim.Instant]bool{0: true, time.Second: true, 2500 * ms: true, time.Hour: false} {
		if f.Parted(at) != want {
			t.Errorf("parted(%s) = %v", at, !want)
		}
	}
}

func TestRecorderErrors(t *testing.T) {
	p := stage.Plan(20, 1)
	p.WarmUp = sim.Duration(2 * time.Second)
	r := ledger.NewRecorder(p, 0, 0)
	f := reports.NewFold(p)
	for i, device := range []sim.Ordinal{9, 8, 7, 6, 5, 4, 9, 3} { // backwards: the last is the first
		at := time.Duration(8-i) * time.Second
		r.Record(&sim.Sample{Op: sim.OpConnect, Device: device, Due: at, Done: at, Outcome: sim.TCPRefused})
		s := r.Snapshot()
		if err := f.Add(&s); err != nil {
			t.Fatal(err)
		}
	}
	got := built(p, f, nil).Errors
	want := reports.ErrorClass{
		Class: "tcp connection refused", Op: "connect", Count: 8, WarmUp: 1, First: time.Second, Last: 8 * time.Second,
		Devices: []string{"meters-3", "meters-9", "meters-4", "meters-5", "meters-6"},
	}
	if len(got) != 1 || fmt.Sprint(got[0]) != fmt.Sprint(want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestRecorderGauges(t *testing.T) {
	p := stage.Plan(4, 1)
	a, b := ledger.NewRecorder(p, 0, 0), ledger.NewRecorder(p, 1, 0)
	a.Gauge(ledger.GaugePoint{At: 1*time.Second + 300*time.Microsecond, Connected: 2, Backlog: 10})
	a.Gauge(ledger.GaugePoint{At: 2*time.Second - 300*time.Microsecond, Connected: 3, Backlog: 20})
	a.Gauge(ledger.GaugePoint{At: 4 * time.Second, Connected: 1})
	b.Gauge(ledger.GaugePoint{At: 3 * time.Second, Connected: 1, Backlog: 5})
	want := [][2]int64{{2, 10}, {3, 20}, {4, 25}, {2, 5}, {2, 5}}
	frames := stage.Folded(t, p, a, b).Frames(0, 5)
	for i, w := range want {
		if fr := frames[2*i]; fr.Connected != w[0] || fr.Backlog != w[1] {
			t.Errorf("second %d: %d connected, backlog %d, want %v", i, fr.Connected, fr.Backlog, w)
		}
	}
}

// What a worker counted stays counted when another one, which begins at 0, takes over; a gauge that is missing costs
// nothing but the second in which its bytes are told.
func TestBytesOverATakeover(t *testing.T) {
	p := stage.Plan(4, 1)
	first, next := ledger.NewRecorder(p, 0, 0), ledger.NewRecorder(p, 0, 1)
	for second, sent := range map[int]int64{1: 100, 2: 150, 4: 400} {
		first.Gauge(ledger.GaugePoint{At: time.Duration(second) * time.Second, BytesSent: sent, BytesReceived: 2 * sent})
	}
	for second, sent := range map[int]int64{5: 500, 6: 570} { // more than the first ever had
		next.Gauge(ledger.GaugePoint{At: time.Duration(second) * time.Second, BytesSent: sent, BytesReceived: 2 * sent})
	}
	frames := stage.Folded(t, p, first, next).Frames(0, 6)
	for second, want := range []uint64{100, 50, 0, 250, 500, 70} {
		if fr := frames[2*second]; fr.BytesSent != want || fr.BytesReceived != 2*want {
			t.Errorf("second %d: %d and %d bytes, want %d and twice as many", second, fr.BytesSent, fr.BytesReceived, want)
		}
	}
}

func TestRecorderConcurrently(t *testing.T) {
	p := stage.Plan(64, 1)
	r := ledger.NewRecorder(p, 0, 0)
	f := reports.NewFold(p)
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := range 5000 {
				s := stage.Publish(time.Duration(i)*ms, time.Duration(i)*time.Microsecond)
				s.Device = sim.Ordinal(i*4+g) % 64
				r.Record(s)
				r.Count(sim.CountSent, 0, 0, s.Due)
			}
		})
	}
	for range 20 {
		s := r.Snapshot()
		if err := f.Add(&s); err != nil {
			t.Fatal(err)
		}
	}
	all.Wait()
	s := r.Snapshot()
	if err := f.Add(&s); err != nil {
		t.Fatal(err)
	}
	if n := f.Between(0, reports.Forever, sim.OpPublish, ledger.Response, reports.AllFleets).Total(); n != 20_000 {
		t.Errorf("%d samples of 20,000", n)
	}
	sent := uint64(0)
	for _, fr := range f.Frames(0, 6) {
		sent += fr.Sent
	}
	if sent != 20_000 {
		t.Errorf("%d sent of 20,000", sent)
	}
}
