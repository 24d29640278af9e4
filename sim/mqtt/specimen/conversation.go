package specimen

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// library is a connected client of an MQTT library.
type library interface {
	// publish hands m to the library, which calls the flight's add meanwhile if it will be answered.
	publish(m *sim.Message) sim.Outcome
	// stop ends the client, with a DISCONNECT if it is to say goodbye and its connection stands.
	stop(goodbye bool)
}

// conversation implements [sim.Conversation], [sim.Interrupter] and [sim.Windowed] over a library. Its
// queue is filled by the library's goroutines.
type conversation struct {
	lib         library
	conn        net.Conn
	flight      *flight
	window      int
	wake        chan struct{} // has room for one
	interrupted atomic.Bool
	closed      bool      // of the device's goroutine
	event       sim.Event // what the last Wait returned

	mu     sync.Mutex
	events []sim.Event
	down   sim.Outcome // what ended it
	downAt time.Time
}

func newConversation(conn net.Conn, f *flight, window int) *conversation {
	return &conversation{conn: conn, flight: f, window: window, wake: make(chan struct{}, 1)}
}

// Publish implements [sim.Conversation]: OK means that the library took m, which paho writes later.
func (c *conversation) Publish(m *sim.Message) sim.Outcome {
	c.mu.Lock()
	down := c.down
	c.mu.Unlock()
	switch {
	case down != sim.OK:
		return down
	case m.QoS > 0 && m.Resend && c.flight.tell(m.ID, numberOf(m)):
		return sim.OK
	case m.QoS > 0 && c.Room() <= 0:
		return sim.LocalOther
	}
	outcome := c.lib.publish(m)
	if outcome != sim.OK && outcome != sim.MQTTPubackError {
		c.fail(outcome)
	}
	return outcome
}

// Room implements [sim.Windowed]. What the library resends by itself takes room too.
func (c *conversation) Room() int { return c.window - c.flight.unanswered() }

// Wait implements [sim.Conversation]. The library serves the protocol's timers.
func (c *conversation) Wait(deadline time.Time) *sim.Event {
	c.event = c.await(deadline)
	return &c.event
}

func (c *conversation) await(deadline time.Time) sim.Event {
	var expired <-chan time.Time
	if !deadline.IsZero() {
		timer := time.NewTimer(time.Until(deadline))
		defer timer.Stop()
		expired = timer.C
	}
	for {
		if event, ok := c.take(); ok {
			return event
		}
		if c.interrupted.Swap(false) {
			return sim.Event{}
		}
		select {
		case <-c.wake:
		case <-expired:
			return sim.Event{}
		}
	}
}

func (c *conversation) take() (sim.Event, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.events) > 0 {
		event := c.events[0]
		if c.events = c.events[1:]; len(c.events) == 0 {
			c.events = nil
		}
		return event, true
	}
	return sim.Event{Kind: sim.EventDown, Outcome: c.down, At: c.downAt}, c.down != sim.OK
}

// Interrupt implements [sim.Interrupter].
func (c *conversation) Interrupt() {
	c.interrupted.Store(true)
	c.poke()
}

func (c *conversation) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *conversation) push(e sim.Event) {
	e.At = time.Now()
	c.mu.Lock()
	if c.down == sim.OK {
		c.events = append(c.events, e)
	}
	c.mu.Unlock()
	c.poke()
}

// fail ends the conversation; the first reason stays.
func (c *conversation) fail(o sim.Outcome) {
	c.mu.Lock()
	if c.down == sim.OK {
		c.down, c.downAt = o, time.Now()
	}
	c.mu.Unlock()
	c.poke()
}

// Close implements [sim.Conversation]. An abrupt close resets the transport before the library knows.
func (c *conversation) Close(abrupt bool) {
	if c.closed {
		return
	}
	c.closed = true
	c.mu.Lock()
	goodbye := !abrupt && c.down == sim.OK
	c.mu.Unlock()
	c.fail(sim.TCPClosed)
	if tcp, ok := c.conn.(interface{ SetLinger(sec int) error }); ok && abrupt {
		tcp.SetLinger(0)
	}
	if !goodbye {
		c.conn.Close() // which the library may not have noticed yet
	}
	c.lib.stop(goodbye)
	c.conn.Close()
}
