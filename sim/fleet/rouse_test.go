package fleet_test

import (
	"context"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/device"
	"github.com/myriad-iot/myriad/sim/fleet"
)

// Orders that come while the devices are still hearing of an earlier one reach all of them, behind a gate that
// is shut for a while.
func TestOrdersBehindAGate(t *testing.T) {
	p := meters(2000, time.Hour, connect(0), settle(time.Minute))
	target := &peer{t0: time.Now(), lines: make(map[*line]bool)}
	gate, err := device.NewGate()
	if err != nil {
		t.Fatal(err)
	}
	c := &fleet.Crew{
		Plan: p, RunID: 1, T0: target.t0, Recorder: new(tape), Account: reports.NewLedger(p, 1, new(tape)).Account, Gate: gate,
		Dialer: func(*sim.Fleet) (sim.Dialer, error) { return target, nil },
	}
	if err := c.Prepare(); err != nil {
		t.Fatal(err)
	}
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
