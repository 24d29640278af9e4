package virtual

import (
	"context"
	"maps"
	"net"
	"slices"
	"sync"
	"time"
)

// portBuffer is how many bytes of datagrams of one sender wait for a process. Myriad's own server asks for as much for all
// of them together; what senders repeat while it is frozen is far less.
const portBuffer = 64 << 10

// port is a process's datagram port: who sent to it, and whether the process is frozen. A sender's datagrams make a
// correspondence with it, which lasts until the process forgets the sender.
type port struct {
	at    address
	later time.Duration // than a process that was frozen goes on, it reads: see freeze

	mu     sync.Mutex
	moved  sync.Cond // for who waits for a sender, or for the process to go on
	frozen bool
	open   *inbox // nil while nobody listens
	opened int    // how many sockets
}

func newPort(at address, later time.Duration) *port {
	p := &port{at: at, later: later}
	p.moved.L = &p.mu
	return p
}

// inbox is the process's end of a port. It implements backend.Datagrams.
type inbox struct {
	*port
	known   map[*socket]*correspondence
	waiting []*correspondence // of senders that are new
	held    []letter
	closed  bool
}

// letter is a datagram that was written while the process was frozen.
type letter struct {
	to   *socket
	data []byte
}

// correspondence is what a process exchanges with one sender. It implements net.Conn for what serves there.
type correspondence struct {
	of     *inbox
	with   *socket
	in     queue
	moved  sync.Cond
	from   time.Time // when it is read again after the process was frozen
	closed bool
}

// listen begins to listen.
func (p *port) listen() *inbox {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = &inbox{port: p, known: make(map[*socket]*correspondence)}
	return p.open
}

// take takes a datagram of a sender, and reports whether anybody listens.
func (p *port) take(from *socket, b []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	o := p.open
	if o == nil {
		return false
	}
	c := o.known[from]
	if c == nil {
		c = &correspondence{of: o, with: from, in: queue{most: portBuffer}}
		c.moved.L = &p.mu
		o.known[from] = c
		o.waiting = append(o.waiting, c)
	}
	c.in.put(b)
	c.moved.Broadcast()
	p.moved.Broadcast()
	return true
}

// freeze stops the process where it is, or lets it go on: then what it wrote meanwhile leaves, and what has come is read. It
// reads one sender a nanosecond after the other, in the order in which they opened their sockets, and only when all devices
// have done what they do at this instant: who would be first if all went on at once is chance.
func (p *port) freeze(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen = on; on {
		return
	}
	p.moved.Broadcast()
	o := p.open
	if o == nil {
		return
	}
	for _, l := range o.held {
		l.to.deliver(l.data)
	}
	o.held = nil
	all := slices.SortedFunc(maps.Values(o.known), func(a, b *correspondence) int { return a.with.number - b.with.number })
	for i, c := range all {
		later := p.later + time.Duration(i+1)
		c.from = time.Now().Add(later)
		time.AfterFunc(later, func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			c.moved.Broadcast()
		})
	}
}

// kill ends the process: what waits for it is lost, and nobody listens any more.
func (p *port) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frozen = false
	if p.open != nil {
		p.open.shut()
	}
}

// shut ends listening. The caller holds the lock.
func (o *inbox) shut() {
	o.closed = true
	for _, c := range o.known {
		c.closed = true
		c.moved.Broadcast()
	}
	if o.port.open == o {
		o.port.open = nil
	}
	o.moved.Broadcast()
}

// AcceptWithContext implements backend.Datagrams: it returns the correspondence of the next sender that is new. It ends
// with Close, and not with the context.
func (o *inbox) AcceptWithContext(context.Context) (net.Conn, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for !o.closed && (o.frozen || len(o.waiting) == 0) {
		o.moved.Wait()
	}
	if o.closed {
		return nil, &net.OpError{Op: "accept", Net: "virtual", Addr: o.at, Err: net.ErrClosed}
	}
	c := o.waiting[0]
	o.waiting = o.waiting[1:]
	return c, nil
}

// Running implements backend.Datagrams.
func (o *inbox) Running() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.frozen && !o.closed {
		o.moved.Wait()
	}
}

// Close implements backend.Datagrams.
func (o *inbox) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.shut()
	return nil
}

// Read implements net.Conn. What came while the process was frozen is read afterwards.
func (c *correspondence) Read(b []byte) (int, error) {
	o := c.of
	o.mu.Lock()
	defer o.mu.Unlock()
	for !c.closed && (o.frozen || len(c.in.list) == 0 || time.Now().Before(c.from)) {
		c.moved.Wait()
	}
	if c.closed {
		return 0, &net.OpError{Op: "read", Net: "virtual", Source: o.at, Addr: c.with.local, Err: net.ErrClosed}
	}
	return c.in.take(b), nil
}

// Write implements net.Conn. It never waits, and goes on when the correspondence is closed, as a UDP server may write to
// any address, for as long as the process lives.
func (c *correspondence) Write(b []byte) (int, error) {
	o := c.of
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.closed:
		return 0, &net.OpError{Op: "write", Net: "virtual", Source: o.at, Addr: c.with.local, Err: net.ErrClosed}
	case o.frozen:
		o.held = append(o.held, letter{c.with, append([]byte(nil), b...)})
	default:
		c.with.deliver(b)
	}
	return len(b), nil
}

// Close implements net.Conn: the process forgets the sender.
func (c *correspondence) Close() error {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	if c.closed = true; c.of.known[c.with] == c {
		delete(c.of.known, c.with)
	}
	c.moved.Broadcast()
	return nil
}

// LocalAddr implements net.Conn.
func (c *correspondence) LocalAddr() net.Addr { return c.of.at }

// RemoteAddr implements net.Conn.
func (c *correspondence) RemoteAddr() net.Addr { return c.with.local }

// SetDeadline implements net.Conn; who serves here sets none.
func (c *correspondence) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn; see SetDeadline.
func (c *correspondence) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn; see SetDeadline.
func (c *correspondence) SetWriteDeadline(time.Time) error { return nil }
