package device

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

const (
	behind = 5 * time.Millisecond // a call that is later than this is late because of the machine, not of the schedule
	burst  = 16                   // how many may pass before the scheduler has to poll the network
)

// Gate slows calls down on a machine that is too slow for them. Go's scheduler polls the network only when
// it has nothing else to run. As long as it has calls to begin, it does not see the answers to the calls that
// have begun. Without a gate, a fleet that calls faster than the machine can has tens of thousands of calls
// under way, each with a stack four times as large as a device's, and hardly any ends. (Measured with six
// processes on two cores: of 78,000 TCP connections that the kernel had established, 10,000 had seen their
// CONNACK.) The gate lets a few calls begin, waits until the scheduler has polled the network, and lets the
// next ones begin; it sets no rate. A call that is on time does not wait at the gate, unless others wait
// there: it would pass before them, and they would be later and later. Whoever wakes devices for an order
// waits at the gate too, for the same reason.
type Gate struct {
	pass    chan struct{} // for calls
	orders  chan struct{} // for those who wake devices, so that they do not wait behind all calls
	r, w    *os.File      // a pipe: a byte that was read from it shows that the network was polled
	waiting atomic.Int64
}

// NewGate returns a gate, closed until Run is called, which must follow. The error is that no pipe could be
// made.
func NewGate() (*Gate, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("gate of calls: %w", err)
	}
	return &Gate{pass: make(chan struct{}), orders: make(chan struct{}), r: r, w: w}, nil
}

// Run lets calls pass, a few at a time, until ctx ends. Then it opens the gate for all and returns, after the
// goroutine that it started has ended.
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

// look waits in the network poller, as every device does, for what Run writes.
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

// Turn blocks until the caller may wake a few devices. While late calls wait, about every second turn is
// theirs. When Run has returned, Turn returns at once.
func (g *Gate) Turn() { <-g.orders }

// enter blocks a call that is late, or that other calls wait before, until it may begin.
func (g *Gate) enter(late time.Duration) {
	if g == nil || late <= behind && g.waiting.Load() == 0 {
		return
	}
	g.waiting.Add(1)
	<-g.pass
	g.waiting.Add(-1)
}
