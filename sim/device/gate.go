package device

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

const (
	behind = 5 * time.Millisecond // how late a call is when the machine, not the schedule, is what holds it up
	burst  = 16                   // turns between two looks at the network
)

// Gate orders calls on a machine that does not keep up. Go's scheduler looks at the network when it has
// nothing else to run, so as long as it has calls to begin it does not see the answers to those that were
// begun: without a gate a fleet that calls faster than the machine can has tens of thousands of calls under
// way, each with a stack four times a device's, and hardly one comes to its end. (Measured with six
// processes on two cores: of 78,000 TCP connections that the kernel had established, 10,000 had seen their
// CONNACK.) A call that is on time does not meet the gate, unless others wait there: it would be served
// before them, and they would be ever later. Who wakes devices for an order passes it too, for the same reason. The
// gate sets no limit: it lets a few begin, waits until the scheduler has looked, and goes on.
type Gate struct {
	pass    chan struct{} // calls
	orders  chan struct{} // who brings orders does not queue behind the calls
	r, w    *os.File      // what comes through this pipe has been seen by a look at the network
	waiting atomic.Int64
}

// NewGate returns a gate. It is shut until Run, which must follow.
func NewGate() (*Gate, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("gate of calls: %w", err)
	}
	return &Gate{pass: make(chan struct{}), orders: make(chan struct{}), r: r, w: w}, nil
}

// Run opens the gate again and again until ctx ends, and leaves it open.
func (g *Gate) Run(ctx context.Context) {
	seen := make(chan struct{})
	go g.look(seen)
	defer func() { // the end of the pipe ends look
		_ = g.w.Close()
		for range seen {
		}
		_ = g.r.Close()
		close(g.pass)
		close(g.orders)
	}()
	for {
		for range burst {
			select {
			case g.pass <- struct{}{}:
			case g.orders <- struct{}{}:
			case <-ctx.Done():
				return
			}
		}
		if _, err := g.w.Write([]byte{0}); err != nil {
			return
		}
		if _, ok := <-seen; !ok {
			return
		}
	}
}

// look waits in the poller, as every device does, for what Run writes.
func (g *Gate) look(seen chan<- struct{}) {
	defer close(seen)
	b := make([]byte, 1)
	for {
		if _, err := g.r.Read(b); err != nil {
			return
		}
		seen <- struct{}{}
	}
}

// Turn waits its turn to wake a few devices. While late calls wait, about every second turn is theirs. Once the gate
// is left open it is always one's turn.
func (g *Gate) Turn() { <-g.orders }

// enter waits its turn when a call that was due is late, or those before it are.
func (g *Gate) enter(late time.Duration) {
	if g == nil || late <= behind && g.waiting.Load() == 0 {
		return
	}
	g.waiting.Add(1)
	<-g.pass
	g.waiting.Add(-1)
}
