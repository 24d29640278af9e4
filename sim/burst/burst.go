// Package burst measures what this machine carries at a target: connections and messages a second, when they go as
// fast as they can for a moment. A run that asks for more would be late by Myriad's own fault, and should be told
// before it starts and not after four minutes.
package burst

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

const (
	callers     = 32 // connect at once: more than any machine has cores for
	kept        = 64 // connections that messages are sent on
	mostCalls   = 2000
	answerLimit = 2 * time.Second // for the last answers of a burst
)

// Burst is what is measured. Set the fields first and do not change them.
type Burst struct {
	Dialer   sim.Dialer                 // of a fleet; its connections must leave nothing at the target
	Fleet    uint16                     // the fleet's index in the plan
	Devices  int                        // of the fleet, above 0: connections have the identities of so many
	Endpoint func(o sim.Ordinal) string // host:port that device o calls
	Topic    string                     // of the messages, which nobody subscribes to
	Payload  []byte
	QoS      byte
	For      time.Duration // of each of the two bursts

	// Source is where connections come from. The unspecified address and port 0 leave both to the kernel, so that
	// no device finds its own port used a moment ago.
	Source netip.AddrPort
}

// Rates is what was done in a second, and the share of this machine's cores that was busy meanwhile, 0 to 1.
type Rates struct {
	Connects, Messages         float64 // a second
	ConnectsBusy, MessagesBusy float64
}

// Whole returns the rates that were to be had if the cores had been as busy as they can be: a target that is slow,
// and not short of CPU, is no limit of this machine's. most is the share of the machine's cores that this process may
// use, 1 where it is not limited. A rate from cores that were hardly busy tells nothing, and is 0.
func (r Rates) Whole(most float64) Rates {
	whole := func(rate, busy float64) float64 {
		if busy < 0.1*most {
			return 0
		}
		return rate / min(1, busy/most)
	}
	return Rates{whole(r.Connects, r.ConnectsBusy), whole(r.Messages, r.MessagesBusy), r.ConnectsBusy, r.MessagesBusy}
}

// Apart returns what is left of rates, which one process did, for a run in so many worker processes on so many cores.
// Many processes are seldom warm: a connect was measured at 317 us in a plain loop of 14 processes and at 386 us in 16
// workers, and in the latter's place one process takes 300. Each one takes 3 ms a second at rest.
func (r Rates) Apart(workers int, cores float64) Rates {
	const dearer, many, atRest = 0.3, 16, 0.003
	left := max(0.1, 1-atRest*float64(workers)/max(1, cores)) / (1 + dearer*min(1, float64(workers-1)/(many-1)))
	return Rates{r.Connects * left, r.Messages * left, r.ConnectsBusy, r.MessagesBusy}
}

// Measure connects for a moment, sends messages for a moment, disconnects in the protocol's way, and returns after
// all goroutines that it started have ended. busy returns the time that the machine's cores were busy so far, and
// all the time that they had. An error says why there is no figure: a call or a message was refused.
func (b *Burst) Measure(ctx context.Context, busy func() (used, all time.Duration)) (r Rates, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	spent := meter(busy)
	open, n, took, err := b.connect(ctx)
	r.Connects, r.ConnectsBusy = float64(n)/took.Seconds(), spent()
	defer func() {
		var closing sync.WaitGroup
		for _, c := range open {
			closing.Go(func() { c.Close(false) })
		}
		closing.Wait()
	}()
	if err != nil {
		return Rates{}, err
	}
	spent = meter(busy)
	answered, took, err := b.publish(open)
	r.Messages, r.MessagesBusy = float64(answered)/took.Seconds(), spent()
	if err != nil {
		return Rates{}, err
	}
	return r, nil
}

// meter returns what tells the share of the cores that was busy since now.
func meter(busy func() (used, all time.Duration)) func() float64 {
	used, all := busy()
	return func() float64 {
		u, a := busy()
		if a <= all {
			return 1
		}
		return float64(u-used) / float64(a-all)
	}
}

// connect makes calls until the time is over, and returns the first connections and the number of all. The others are
// closed.
func (b *Burst) connect(ctx context.Context) (open []sim.Conversation, n int, took time.Duration, err error) {
	var next atomic.Int64
	var mu sync.Mutex
	var calling sync.WaitGroup
	began := time.Now()
	for range callers {
		calling.Go(func() {
			for time.Since(began) < b.For {
				k := next.Add(1) - 1
				if k >= mostCalls {
					return
				}
				o := sim.Ordinal(k % int64(b.Devices))
				c, _, outcome := b.Dialer.Dial(ctx, &sim.Caller{
					ID: fmt.Sprintf("myriad-burst-%d-%d", b.Fleet, k), Ordinal: o, Key: uint64(k), Endpoint: b.Endpoint(o),
					Attempt: int(k), Fleet: b.Fleet, Source: b.Source, T0: began,
				})
				mu.Lock()
				switch {
				case outcome != sim.OK:
					if err == nil {
						err = fmt.Errorf("connect: %s", outcome)
					}
				case len(open) < kept:
					open, c = append(open, c), nil
					n++
				default:
					n++
				}
				failed := err != nil
				mu.Unlock()
				if c != nil {
					c.Close(false)
				}
				if failed {
					return
				}
			}
		})
	}
	calling.Wait()
	return open, n, time.Since(began), err
}

// publish sends messages on all connections, each when the one before has its answer, until the time is over.
func (b *Burst) publish(open []sim.Conversation) (answered int, took time.Duration, err error) {
	var mu sync.Mutex
	var sending sync.WaitGroup
	began := time.Now()
	for _, c := range open {
		sending.Go(func() {
			n, failed := b.talk(c, began)
			mu.Lock()
			defer mu.Unlock()
			answered += n
			err = cmp.Or(err, failed)
		})
	}
	sending.Wait()
	return answered, time.Since(began), err
}

// talk sends messages on one connection and returns how many had their answer.
func (b *Burst) talk(c sim.Conversation, began time.Time) (n int, err error) {
	m := sim.Message{Topic: b.Topic, Payload: b.Payload, QoS: b.QoS}
	for ; time.Since(began) < b.For; n++ {
		m.Seq = uint32(n)
		if o := c.Publish(&m); o != sim.OK {
			return n, fmt.Errorf("publish: %s", o)
		}
		if b.QoS == 0 {
			continue
		}
		if err := answer(c, began.Add(b.For+answerLimit)); err != nil {
			return n, err
		}
	}
	return n, nil
}

// answer waits for the answer to the one message that is under way.
func answer(c sim.Conversation, deadline time.Time) error {
	for {
		switch e := c.Wait(deadline); e.Kind {
		case sim.EventAcked:
			return nil
		case sim.EventFailed, sim.EventDown:
			return fmt.Errorf("publish: %s", e.Outcome)
		case sim.EventNone:
			if !time.Now().Before(deadline) {
				return errors.New("publish: no answer")
			}
		case sim.EventReceived, sim.EventInbound, sim.EventOversized:
		}
	}
}
