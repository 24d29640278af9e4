package cluster

import (
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// busy is a snapshot of a second in which so many of a shard's devices reported and one reconnected.
func busy(messages int) *ledger.Snapshot {
	p := testPlan()
	p.Fleets[0].Count = 4000
	r := ledger.NewRecorder(p, 0, 0)
	for i := range messages {
		due := 5*time.Second + time.Duration(i)*time.Millisecond
		r.Count(sim.CountSent, 0, 1, due)
		r.Record(&sim.Sample{
			Op: sim.OpPublish, Device: sim.Ordinal(i), Endpoint: 1,
			Due: due, Sent: due + time.Millisecond, Done: due + time.Duration(2000+i*i)*time.Microsecond,
		})
	}
	r.Link(0, 1, 7, false, 5*time.Second)
	r.Link(0, 1, 7, true, 6*time.Second)
	r.Gauge(ledger.GaugePoint{At: 6 * time.Second, Connected: 4000, Backlog: 3})
	s := r.Snapshot()
	return &s
}

// What a worker's second costs on its way: at each end once.
func BenchmarkSnapshot(b *testing.B) {
	s := busy(130)
	for b.Loop() {
		data, err := encode(s)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := decode(data); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(data)), "B/snapshot")
	}
}
