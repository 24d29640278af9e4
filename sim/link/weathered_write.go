package link

import (
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

const (
	// sending is how long a peer that takes nothing keeps a timer's goroutine, and resting how long that
	// leaves it alone then.
	sending = time.Millisecond
	resting = 10 * time.Millisecond
)

// Write implements net.Conn. What the link holds counts as written.
func (c *weathered) Write(b []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	for n := 0; ; {
		taken, direct, err := c.take(b[n:])
		n += taken
		c.traffic.Sent(taken)
		switch {
		case direct:
			sent, err := c.Conn.Write(b[n:])
			c.traffic.Sent(sent)
			return n + sent, err
		case err != nil || n == len(b):
			return n, err
		}
		c.room()
	}
}

// take takes as much of b as the link holds. direct says that the rest passes at once.
func (c *weathered) take(b []byte) (n int, direct bool, err error) {
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.closed:
		return 0, false, c.gone("write")
	case passed(o.by):
		return 0, false, os.ErrDeadlineExceeded
	case o.err != nil:
		if err = o.err; !c.stream {
			o.err = nil
		}
		return 0, false, err
	}
	at := c.instant()
	if o.failed != nil && at >= o.fails {
		return 0, false, o.failed
	}
	w := c.open(&o.way, sim.SaltUp, at, o.count)
	if w == nil || w.empty() && w.idle(at) && c.clear(at) {
		switch {
		case c.passes(at):
		case !c.stream:
			err = c.elsewhere(at)
		default:
			return c.vanish(b, at), false, nil
		}
		pass(w, &o.count, c.cargo(len(b)))
		return 0, err == nil, err
	}
	if !c.stream {
		leaves, arrives, lost := w.datagram(&c.spot, at, len(b))
		if !lost && !c.passes(arrives) {
			if err := c.elsewhere(arrives); err != nil {
				return 0, false, err
			}
		}
		if lost || w.size+len(b) > heldMost {
			return len(b), false, nil
		}
		if again, twice := w.copied(&c.spot, at, leaves); twice {
			w.push(packet{data: append([]byte(nil), b...), leaves: leaves, arrives: max(again, arrives)})
			c.schedule()
		}
		switch {
		case arrives <= at && w.next() > at:
			return 0, true, nil
		}
		w.push(packet{data: append([]byte(nil), b...), leaves: leaves, arrives: arrives})
		n = len(b)
	}
	for n < len(b) && w.size < heldMost {
		part := b[n:min(len(b), n+segmentSize)]
		n += len(part)
		leaves, arrives := w.segment(&c.spot, at, len(part), timeoutLeast)
		if !c.passes(arrives) {
			c.unheard(arrives)
			arrives = never
		}
		w.push(packet{data: append([]byte(nil), part...), leaves: leaves, arrives: arrives})
	}
	c.schedule()
	return n, false, nil
}

// vanish takes the first part of a stream that finds no NAT which knows it, over a link that is clear.
func (c *weathered) vanish(b []byte, at sim.Instant) int {
	o := &c.out
	if o.way == nil {
		o.way = &way{lane: newLane(sim.SaltUp)}
		o.way.count = uint64(o.count)
	}
	part := b[:min(len(b), segmentSize)]
	o.way.skip(len(part))
	o.way.push(packet{data: append([]byte(nil), part...), leaves: at, arrives: never})
	c.unheard(at)
	return len(part)
}

// room waits until the link may take more of a stream, or for a change.
func (c *weathered) room() {
	c.out.mu.Lock()
	if c.out.moved == nil {
		c.out.moved = make(chan struct{}, 1)
	}
	moved, by := c.out.moved, c.out.by
	full := c.out.way.size >= heldMost && c.out.err == nil && !c.out.closed
	c.out.mu.Unlock()
	if full {
		c.await(moved, never, by)
	}
}

// schedule sets the timer to when something is due. The caller holds out's lock.
func (c *weathered) schedule() {
	at := c.out.way.next()
	if c.out.closed {
		at = min(at, c.out.end)
	}
	if at < never {
		c.depart(at - c.instant())
	}
}

func (c *weathered) depart(in time.Duration) {
	if c.out.timer == nil {
		c.out.timer = departureOf(c.Conn, c.send)
	}
	c.out.timer.Reset(in + c.apart)
}

// timer is what a *time.Timer is.
type timer interface {
	Reset(in time.Duration) bool
	Stop() bool
}

// afterFunc is a timer of the runtime that is not set.
func afterFunc(f func()) timer {
	t := time.AfterFunc(time.Hour, f)
	t.Stop()
	return t
}

// send gives the socket what has come to the peer, and closes it when that was all.
func (c *weathered) send() {
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed && !o.leaves {
		return // a timer that went off while the socket was closed
	}
	now := c.instant()
	for p := o.way.due(now); p != nil; p = o.way.due(now) {
		n, err := c.give(p.data)
		if o.way.take(n); c.stream && errors.Is(err, os.ErrDeadlineExceeded) && (!o.closed || now < o.end+closing) {
			c.depart(resting)
			return
		}
		if err != nil && c.stream && c.nat.forgotten() {
			err = nil // the device hears nothing of its peer
		}
		if err != nil {
			o.err = err
		}
		if err != nil && c.stream { // nothing can follow
			o.way.held = held{}
			break
		}
		o.way.pop()
	}
	notify(o.moved)
	if o.leaves && (now >= o.end || c.stream && o.err != nil) {
		o.leaves, o.way.held = false, held{} // what is left never arrives
		_ = c.Conn.Close()
		if !o.vain {
			c.dialer.leaving.add(-1)
		}
		return
	}
	c.schedule()
}

// give writes to the socket without waiting for long.
func (c *weathered) give(b []byte) (n int, err error) {
	if !c.stream {
		if n, err = c.Conn.Write(b); errors.Is(err, syscall.ECONNREFUSED) { // of an earlier one
			n, _ = c.Conn.Write(b)
		}
		return n, err
	}
	if t, ok := c.Conn.(interface{ TryWrite([]byte) (int, error) }); ok { // of a network in memory
		return t.TryWrite(b)
	}
	if err = c.Conn.SetWriteDeadline(time.Now().Add(sending)); err != nil {
		return 0, err
	}
	n, err = c.Conn.Write(b)
	_ = c.Conn.SetWriteDeadline(c.out.by)
	return n, err
}

// SetWriteDeadline implements net.Conn.
func (c *weathered) SetWriteDeadline(at time.Time) error {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if c.out.closed {
		return c.gone("set")
	}
	c.out.by = at
	notify(c.out.moved)
	if c.stream && c.nat.forgotten() {
		return nil // nothing is written to the socket any more
	}
	return c.Conn.SetWriteDeadline(at)
}
