package backend

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
)

// mochi gives every client a queue of MaximumClientWritesPending slots and drops, QoS 1 or not,
// what finds it full. One queue length has to do for a meter that receives nothing and for a
// subscriber of the whole fleet. A gate makes a short queue lossless instead: who publishes waits,
// after his PUBACK, until the subscriber has room. The wait reaches the publishing client as TCP
// back-pressure and nobody else.
//
// Slots are taken in OnACLCheck, which mochi calls once before it queues a message, and given back
// in OnPacketEncode, when the message has left the queue. A message that is written without having
// been queued (redelivery after a reconnect) gives back a slot that it never took; queueSlots is
// twice gateSlots, so that the miscount, which ends when the queue runs empty, cannot lose anything.
const (
	gateSlots  = 64
	queueSlots = 2 * gateSlots

	// A subscriber that takes nothing for gatePatience is stuck, and mochi may drop what it is
	// sent: one subscriber must not stop a broker. The gate works again as soon as it moves.
	gatePatience = 10 * time.Second

	// mochi also drops what would be the 65,536th unacknowledged message of a subscriber; wait
	// long before that.
	gateUnacked = 32_768
	ackPoll     = 2 * time.Millisecond
	// Who waits for a slot is woken by it; that the subscriber has gone he must find out himself.
	gonePoll = 100 * time.Millisecond
)

// gate holds back messages for one connected subscriber.
type gate struct {
	slots    chan struct{}
	closed   func() bool // the connection is gone
	unacked  func() int  // messages that the subscriber has not acknowledged
	stuck    atomic.Bool
	patience time.Duration
}

func newGate(closed func() bool, unacked func() int) *gate {
	return &gate{slots: make(chan struct{}, gateSlots), closed: closed, unacked: unacked, patience: gatePatience}
}

// take waits for a slot and for room among the unacknowledged messages, unless the subscriber is
// gone or known to be stuck. It reports false when patience ran out: when it got stuck.
func (g *gate) take() bool {
	if g.stuck.Load() {
		return true
	}
	taken := false
	select {
	case g.slots <- struct{}{}:
		if g.unacked() < gateUnacked {
			return true
		}
		taken = true
	default:
	}
	for until := time.Now().Add(g.patience); !g.closed(); {
		if !taken {
			select {
			case g.slots <- struct{}{}:
				taken = true
			case <-time.After(gonePoll):
			}
		} else {
			time.Sleep(ackPoll)
		}
		if taken && g.unacked() < gateUnacked {
			return true
		}
		if time.Now().After(until) {
			return g.stuck.Swap(true)
		}
	}
	return true
}

// give returns n slots.
func (g *gate) give(n int) {
	for range n {
		select {
		case <-g.slots:
		default:
		}
	}
	if g.stuck.Load() {
		g.stuck.Store(false)
	}
}

// gates are the gates of the connected subscribers. The zero value is ready.
type gates struct{ m sync.Map } // *mochi.Client -> *gate

func (s *gates) open(cl *mochi.Client) {
	if _, ok := s.m.Load(cl); !ok {
		s.m.LoadOrStore(cl, newGate(cl.Closed, cl.State.Inflight.Len))
	}
}

func (s *gates) shut(cl *mochi.Client) { s.m.Delete(cl) }

func (s *gates) take(cl *mochi.Client, log *slog.Logger) {
	v, ok := s.m.Load(cl)
	switch {
	case !ok:
	case cl.Closed(): // mochi does not report the end of a session that it could not resume
		s.shut(cl)
	case !v.(*gate).take():
		log.Error("subscriber takes nothing; its messages may be lost", "client", cl.ID, "for", gatePatience)
	}
}

func (s *gates) give(cl *mochi.Client, n int) {
	if v, ok := s.m.Load(cl); ok {
		v.(*gate).give(n)
	}
}
