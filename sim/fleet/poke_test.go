package fleet_test

import (
	"context"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/device"
	"github.com/myriad-iot/myriad/sim/fleet"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// gated is a crew behind a gate that is closed.
func gated(t *testing.T, devices int) (*fleet.Crew, *device.Gate) {
	t.Helper()
	p := meters(devices, time.Hour, connect(0), settle(time.Minute))
	target := &peer{t0: time.Now(), lines: make(map[*line]bool)}
	gate, err := device.NewGate()
	if err != nil {
		t.Fatal(err)
	}
	c := &fleet.Crew{
		Plan: p, RunID: 1, T0: target.t0, Recorder: new(tape), Account: ledger.New(p, 1, new(tape)).Account, Gate: gate,
		Dialer: func(*sim.Fleet, sim.Role, sim.Weather) (sim.Dialer, error) { return target, nil },
	}
	if err := c.Prepare(); err != nil {
		t.Fatal(err)
	}
	return c, gate
}

// Orders that come while devices are still being poked for an earlier one reach all of them, behind a gate that
// is closed for a while.
func TestOrdersBehindAGate(t *testing.T) {
	c, gate := gated(t, 2000)
	gone := make(chan struct{})
	go func() { c.Run(context.Background()); close(gone) }()
	c.Order(fleet.Order{Number: 1, Starts: []sim.Instant{0}}) // its goroutine waits at the gate
	time.Sleep(20 * time.Millisecond)
	c.Order(fleet.Order{Number: 2, Starts: []sim.Instant{0}, End: 1})
	open, shut := context.WithCancel(t.Context())
	defer shut()
	go gate.Run(open)
	for c.State().Fleets[0].Ended == 0 { // until some have heard
		time.Sleep(20 * time.Microsecond)
	}
	if n := c.State().Fleets[0].Ended; n == 2000 {
		t.Log("all have heard before anybody looked")
	}
	c.Order(fleet.Order{Number: 3, Starts: []sim.Instant{0}, End: 1, Finish: true})
	select {
	case <-gone:
	case <-time.After(20 * time.Second):
		t.Fatal("devices have not heard that they are to leave")
	}
}

// Run waits for the goroutine that an order started, also when its context has ended. A later order starts
// none.
func TestRunAwaitsOrders(t *testing.T) {
	c, gate := gated(t, 100)
	c.Order(fleet.Order{Number: 1, Starts: []sim.Instant{0}}) // its goroutine waits at the closed gate
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	gone := make(chan struct{})
	go func() { c.Run(ctx); close(gone) }()
	select {
	case <-gone:
		t.Fatal("Run returned before the goroutine of an order")
	case <-time.After(50 * time.Millisecond):
	}
	open, shut := context.WithCancel(t.Context())
	opened := make(chan struct{})
	go func() { gate.Run(open); close(opened) }()
	select {
	case <-gone:
	case <-time.After(20 * time.Second):
		t.Fatal("Run did not return")
	}
	shut()
	<-opened
	c.Order(fleet.Order{Number: 2, Starts: []sim.Instant{0}, End: 1})
	if n := c.State().Fleets[0].Connected; n != 0 {
		t.Errorf("%d devices are connected after Run", n)
	}
}
