package device

import (
	"context"
	"sync"
	"testing"
	"time"
)

// Late calls pass while the gate runs and after it, some at a time; one that is on time meets no gate,
// unless others wait.
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
	for g.waiting.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	queued := make(chan struct{})
	late.Go(func() {
		g.enter(0)
		close(queued)
	})
	select {
	case <-queued:
		t.Error("a call that is on time went before those that wait")
	case <-time.After(10 * time.Millisecond):
	}
	ctx, end := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { g.Run(ctx) })
	late.Wait()
	end()
	running.Wait()
	g.enter(time.Hour)
}
