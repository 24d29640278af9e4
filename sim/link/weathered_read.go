package link

import (
	"errors"
	"os"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// Read implements net.Conn. A datagram is read whole or cut.
func (c *weathered) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	c.reading.Lock()
	defer c.reading.Unlock()
	for {
		if over, err := c.over(); over {
			return 0, err
		}
		n, ok, err := c.due(b)
		if ok {
			c.traffic.Received(n)
			return n, err
		}
		if c.full() {
			continue
		}
		c.arm(false)
		from := c.socket()
		n, err = from.Read(b)
		if errors.Is(err, os.ErrDeadlineExceeded) || err != nil && from != c.socket() {
			continue // ours, or that of what is due; or the conn goes on from another socket
		}
		if c.arrived(b[:n], err) {
			c.traffic.Received(n)
			return n, err
		}
	}
}

// over reports whether a Read has to end, and why.
func (c *weathered) over() (bool, error) {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	switch {
	case c.in.closed:
		return true, c.gone("read")
	case passed(c.in.by):
		return true, os.ErrDeadlineExceeded
	}
	return false, nil
}

// due hands out what has come over the link, if anything has.
func (c *weathered) due(b []byte) (n int, ok bool, err error) {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	w := c.in.way
	if w == nil {
		return 0, false, nil
	}
	p := w.due(c.instant())
	if p == nil {
		return 0, false, nil
	}
	n = copy(b, p.data)
	if c.stream && n < len(p.data) {
		w.take(n)
		return n, true, nil
	}
	if err = p.err; err != nil && c.stream && c.nat.forgotten() {
		return 0, true, err // for good
	} else if err != nil {
		c.in.ended = false
	}
	w.pop()
	return n, true, err
}

// full waits, if the conn holds as much as it may or the socket has no more, for a part of that to be due,
// and reports whether it did.
func (c *weathered) full() bool {
	if !c.stream {
		return false
	}
	dead := c.nat.forgotten()
	c.in.mu.Lock()
	w := c.in.way
	if !dead && (w == nil || !c.in.ended && w.size < heldMost) {
		c.in.mu.Unlock()
		return false
	}
	if c.in.moved == nil {
		c.in.moved = make(chan struct{}, 1)
	}
	moved, at, by := c.in.moved, never, c.in.by
	if w != nil {
		at = w.next()
	}
	c.in.mu.Unlock()
	c.await(moved, at, by)
	return true
}

// arm sets the socket's read deadline: the conn's own, or when the first of what is held is due. polled
// says that what is due is looked at before the socket waits.
func (c *weathered) arm(polled bool) {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	_ = c.rearm(polled) // it fails when the socket is closed, and then the read does
}

func (c *weathered) rearm(polled bool) error {
	if c.in.closed || c.in.gone {
		return nil // it has passed for good, or nobody reads
	}
	at := c.in.by
	if w := c.in.way; w != nil && w.next() < never {
		first := c.zero.Add(w.next())
		if (at.IsZero() || first.Before(at)) && !(polled && w.next() <= c.instant()) {
			at = first
		}
	}
	if at.Equal(c.in.armed) {
		return nil
	}
	c.in.armed = at
	return c.Conn.SetReadDeadline(at)
}

// SetReadDeadline implements net.Conn.
func (c *weathered) SetReadDeadline(at time.Time) error {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	if c.in.closed {
		return c.gone("set")
	}
	c.in.by = at
	notify(c.in.moved)
	return c.rearm(true)
}

// arrived takes what the socket has received. It reports whether that has come over the link already;
// else it is held, or lost.
func (c *weathered) arrived(b []byte, err error) bool {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	if c.in.closed {
		return true
	}
	at := c.instant()
	if !c.passes(at) {
		c.astray()
		return false
	}
	w := c.open(&c.in.way, sim.SaltDown, at, c.in.count)
	if w == nil || w.empty() && w.idle(at) && c.clear(at) {
		pass(w, &c.in.count, c.cargo(len(b)))
		return true
	}
	if c.stream {
		c.hold(w, b, err, at)
		return false
	}
	leaves, arrives, lost := w.datagram(&c.spot, at, len(b))
	if lost || w.size+len(b) > heldMost {
		return false
	}
	if again, twice := w.copied(&c.spot, at, leaves); twice && err == nil {
		w.push(packet{data: append([]byte(nil), b...), arrives: max(again, arrives)})
	}
	switch {
	case arrives <= at && w.next() > at:
		return true
	}
	w.push(packet{data: append([]byte(nil), b...), err: err, arrives: arrives})
	return false
}

// cargo is how many bytes count for the number of packets: a datagram is one, whatever its size.
func (c *weathered) cargo(size int) int {
	if c.stream {
		return size
	}
	return 0
}

// hold holds a part of a stream, and its end.
func (c *weathered) hold(w *way, b []byte, err error, at sim.Instant) {
	for len(b) > 0 {
		part := b[:min(len(b), segmentSize)]
		b = b[len(part):]
		_, arrives := w.join(&c.spot, at, len(part))
		w.push(packet{data: append([]byte(nil), part...), arrives: arrives})
	}
	if err != nil {
		_, arrives := w.segment(&c.spot, at, 0, timeoutLeast)
		w.push(packet{err: err, arrives: arrives})
		c.in.ended = true
	}
}
