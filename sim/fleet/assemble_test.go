package fleet_test

import (
	"context"
	"runtime"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/fleet"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// Devices that were assembled make no call before Run, have no goroutine to make at T0, and end without one when
// the run is given up before T0 was known.
func TestAssembledDevicesWaitForRun(t *testing.T) {
	const n = 500
	assembled := func(t *testing.T, ctx context.Context) (*fleet.Crew, *peer) {
		p := meters(n, time.Hour, connect(0), settle(time.Minute))
		target := &peer{lines: make(map[*line]bool)}
		c := &fleet.Crew{Plan: p, RunID: 1, Recorder: new(tape), Account: ledger.New(p, 1, new(tape)).Account,
			Dialer: func(*sim.Fleet, sim.Role, sim.Weather) (sim.Dialer, error) { return target, nil }}
		if err := c.Prepare(); err != nil {
			t.Fatal(err)
		}
		before := runtime.NumGoroutine()
		c.Assemble(ctx)
		c.Order(fleet.Order{Number: 1, Starts: []sim.Instant{0}})
		time.Sleep(time.Minute)
		synctest.Wait()
		if made := runtime.NumGoroutine() - before; made < n-10 { // some of the process's own may have ended meanwhile
			t.Errorf("%d goroutines of %d devices are there before T0", made, n)
		}
		if s := c.State().Fleets[0]; s.Wanted != 0 || s.Acted != 0 {
			t.Errorf("devices act before T0: %+v", s)
		}
		return c, target
	}
	t.Run("begun", func(t *testing.T) {
		bubble.Test(t, func(t *testing.T) {
			c, target := assembled(t, t.Context())
			target.t0 = time.Now()
			c.T0 = target.t0
			gone := make(chan struct{})
			go func() { c.Run(t.Context()); close(gone) }()
			time.Sleep(time.Second)
			synctest.Wait()
			if s := c.State().Fleets[0]; s.Connected != n {
				t.Errorf("%d of %d devices are connected a second after T0", s.Connected, n)
			}
			c.Order(fleet.Order{Number: 2, Starts: []sim.Instant{0}, End: time.Second, Finish: true})
			<-gone
		})
	})
	t.Run("given up", func(t *testing.T) {
		bubble.Test(t, func(t *testing.T) {
			ctx, giveUp := context.WithCancel(t.Context())
			c, _ := assembled(t, ctx)
			giveUp()
			c.Run(ctx)
		})
	})
}

// BenchmarkBegin is what a device costs, in microseconds of CPU: made and assembled before T0 is known, and
// woken for the first time afterwards. The second is what has to fit between the news of T0 and T0.
func BenchmarkBegin(b *testing.B) {
	const n = 20_000
	cpu := func() time.Duration {
		var r syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
		return time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	var made, woken time.Duration
	for b.Loop() {
		p := meters(n, time.Hour, connect(time.Hour), settle(time.Minute))
		target := &peer{lines: make(map[*line]bool)}
		c := &fleet.Crew{Plan: p, RunID: 1, Recorder: new(tape), Account: ledger.NewAccounts(p, 0, 1).Account,
			Dialer: func(*sim.Fleet, sim.Role, sim.Weather) (sim.Dialer, error) { return target, nil }}
		began := cpu()
		if err := c.Prepare(); err != nil {
			b.Fatal(err)
		}
		ctx, end := context.WithCancel(b.Context())
		c.Assemble(ctx)
		made += cpu() - began
		c.Order(fleet.Order{Number: 1, Starts: []sim.Instant{0}})
		c.T0 = time.Now().Add(time.Minute)
		began = cpu()
		gone := make(chan struct{})
		go func() { c.Run(ctx); close(gone) }()
		time.Sleep(2 * time.Second) // all have gone to sleep again
		woken += cpu() - began
		end()
		<-gone
	}
	b.ReportMetric(float64(made.Microseconds())/float64(b.N*n), "us-made/device")
	b.ReportMetric(float64(woken.Microseconds())/float64(b.N*n), "us-woken/device")
	b.ReportMetric(0, "ns/op")
}
