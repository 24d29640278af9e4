package device

import (
	"context"
	"sync"
	"testing"
	"time"
)

// Late calls pass while the gate runs and after it, some at a time; one that is on time meets no gate.
func TestGate(t *testing.T) {
	g, err := NewGate()
	if err != nil {
		t.Fatal(err)
	}
	g.enter(behind) // would wait for ever: nobody runs the gate yet
	(*Gate)(nil).enter(time.Hour)

	var late sync.WaitGroup
	for range 100 * burst {
		late.Go(func() { g.enter(behind + 1) })
	}
	ctx, end := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { g.Run(ctx) })
	late.Wait()
	end()
	running.Wait()
	g.enter(time.Hour)
}
