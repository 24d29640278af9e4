package reports_test

import (
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports/internal/stage"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// TestFreezeShows is wrk2's example: a server that answers at once but for one freeze of 1.4 s in
// 30 s of 2,000 requests a second. Measured from the send by a client that waits for its answers,
// the freeze all but vanishes; measured from when the requests were due, it is the p99.
func TestFreezeShows(t *testing.T) {
	p := stage.Plan(10, 1)
	rec := ledger.NewRecorder(p, 0, 0)
	const freezeStart, freezeEnd = 10 * time.Second, 11400 * ms
	free := make([]sim.Instant, 10) // each client has one request under way
	for i := range 60_000 {
		due := time.Duration(i) * 500 * time.Microsecond
		o := i % len(free)
		sent := max(due, free[o])
		done := sent + 600*time.Microsecond
		if done > freezeStart && sent < freezeEnd {
			done = freezeEnd + 600*time.Microsecond
		}
		free[o] = done
		rec.Record(&sim.Sample{
			Op: sim.OpPublish, Device: sim.Ordinal(o), Due: due, Ready: sent, Sent: sent, Done: done, Attempts: 1,
		})
	}
	f := stage.Folded(t, p, rec)
	r := built(p, f, nil)
	resp, serv, late := r.Latency[0].Response, r.Latency[0].Service, r.Lag
	if resp.P99 < 1.0 || resp.P99 > 1.4 {
		t.Errorf("p99 of the response is %v s, although 1.4 of 30 s were frozen", resp.P99)
	}
	if serv.P99 > 0.001 || serv.Max < 1.39 {
		t.Errorf("service: %+v", serv)
	}
	if late.Max > 0 {
		t.Errorf("a window that is full is not the generator's lag: %+v", late)
	}
	worst := 0.0
	for _, fr := range f.Frames(10, 12) {
		worst = max(worst, fr.Latency["publish"].P50)
	}
	if worst < 0.5 {
		t.Errorf("the frozen seconds look well: p50 %v s", worst)
	}
}
