package virtual

import (
	"maps"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"
)

// host is a process with a port: what listens there, its connections, and whether it is frozen.
type host struct {
	at address

	mu     sync.Mutex
	moved  sync.Cond
	frozen bool
	open   *listener            // nil while nobody listens
	conns  map[*served]struct{} // of the process
	called int                  // how often
}

func newHost(at address) *host {
	h := &host{at: at, conns: make(map[*served]struct{})}
	h.moved.L = &h.mu
	return h
}

// dial connects to the host, at once, from who.
func (h *host) dial(who address, later time.Duration) (net.Conn, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.open == nil {
		return nil, &net.OpError{Op: "dial", Net: "virtual", Source: who, Addr: h.at, Err: syscall.ECONNREFUSED}
	}
	c, s := connect(who, h.at)
	c.later = later
	h.called++
	accepted := &served{end: s, host: h, number: h.called}
	h.conns[accepted] = struct{}{}
	h.open.waiting = append(h.open.waiting, accepted)
	h.moved.Broadcast()
	return c, nil
}

// listen begins to listen.
func (h *host) listen() net.Listener {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open = &listener{host: h}
	return h.open
}

// freeze stops the process where it is, or lets it go on: then what it wrote and closed meanwhile takes effect.
func (h *host) freeze(on bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.frozen = on
	if on {
		return
	}
	for _, c := range h.inOrder() {
		if len(c.held) > 0 {
			_, _ = c.end.Write(c.held) // whose peer may be gone
			c.held = nil
		}
		if c.closing {
			delete(h.conns, c)
			_ = c.end.Close()
		}
	}
	h.moved.Broadcast()
}

// inOrder is the process's connections as they were made: what happens to all at one instant happens in the same order
// each time. The caller holds the lock.
func (h *host) inOrder() []*served {
	return slices.SortedFunc(maps.Keys(h.conns), func(a, b *served) int { return a.number - b.number })
}

// kill ends the process at once: nobody listens any more, and its connections end as the kernel ends them.
func (h *host) kill() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.frozen, h.open = false, nil
	for _, c := range h.inOrder() {
		c.killed = true
		_ = c.end.Close()
	}
	h.conns = make(map[*served]struct{})
	h.moved.Broadcast()
}

// listener implements net.Listener.
type listener struct {
	*host
	waiting []*served // that were called, and not accepted yet; guarded by the host's lock
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.open == l && (l.frozen || len(l.waiting) == 0) {
		l.moved.Wait()
	}
	if l.open != l {
		return nil, &net.OpError{Op: "accept", Net: "virtual", Addr: l.at, Err: net.ErrClosed}
	}
	c := l.waiting[0]
	l.waiting = l.waiting[1:]
	return c, nil
}

// Close implements net.Listener. Who was not accepted yet gets a reset.
func (l *listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open != l {
		return &net.OpError{Op: "close", Net: "virtual", Addr: l.at, Err: net.ErrClosed}
	}
	l.open = nil
	l.moved.Broadcast()
	for _, c := range l.waiting {
		delete(l.conns, c)
		_ = c.SetLinger(0)
		_ = c.end.Close()
	}
	return nil
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return l.at }

// served is the process's end of a connection: while the process is frozen nothing is read from it, and what is written
// to it is held. The host's lock guards its fields.
type served struct {
	*end
	host    *host
	number  int // of the call
	held    []byte
	closing bool // it was closed while the process was frozen
	killed  bool // with its process
}

// Read implements net.Conn.
func (s *served) Read(b []byte) (int, error) {
	n, err := s.end.Read(b)
	s.host.mu.Lock()
	defer s.host.mu.Unlock()
	for s.host.frozen && !s.killed { // what came while it was frozen is seen afterwards
		s.host.moved.Wait()
	}
	if s.killed { // it never saw it
		return 0, s.failed("read", net.ErrClosed)
	}
	return n, err
}

// Write implements net.Conn. It never waits.
func (s *served) Write(b []byte) (int, error) {
	s.host.mu.Lock()
	defer s.host.mu.Unlock()
	if s.host.frozen {
		s.held = append(s.held, b...)
		return len(b), nil
	}
	return s.end.Write(b)
}

// Close implements net.Conn.
func (s *served) Close() error {
	s.host.mu.Lock()
	defer s.host.mu.Unlock()
	if s.host.frozen {
		s.closing = true
		return nil
	}
	delete(s.host.conns, s)
	return s.end.Close()
}
