package coap

import (
	"net"
	"os"
	"sync"
	"time"
)

// transport is a device's socket as pion sees it for the time of a handshake. ICMP errors are noted,
// not returned as errors: flights are repeated, and the server may be restarting.
type transport struct {
	conn net.Conn

	reading sync.Mutex // held by a read
	mu      sync.Mutex // guards the rest
	left    bool       // pion may not use the socket any more
	flight  [][]byte   // the datagrams that were written since the last read
	answer  bool       // something was read since the last write

	heard, unreachable bool
}

// ReadFrom implements net.PacketConn.
func (t *transport) ReadFrom(b []byte) (int, net.Addr, error) {
	t.reading.Lock()
	defer t.reading.Unlock()
	for {
		if t.gone() {
			return 0, nil, net.ErrClosed
		}
		n, err := t.conn.Read(b)
		t.mu.Lock()
		lost := err != nil && unreachable(err)
		t.unreachable = t.unreachable || lost
		t.heard = t.heard || err == nil
		t.answer = t.answer || err == nil
		left := t.left
		t.mu.Unlock()
		switch {
		case left:
			return 0, nil, net.ErrClosed
		case lost:
			continue
		}
		return n, t.conn.RemoteAddr(), err
	}
}

// WriteTo implements net.PacketConn.
func (t *transport) WriteTo(b []byte, _ net.Addr) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.left {
		return len(b), nil // pion has no socket any more: what it writes when it is closed (close_notify) is not sent
	}
	if t.answer {
		t.answer, t.flight = false, nil
	}
	t.flight = append(t.flight, append([]byte(nil), b...))
	for range 2 { // as in Conversation.send
		if _, err := t.conn.Write(b); err == nil || !unreachable(err) {
			return len(b), err
		}
		t.unreachable = true
	}
	return len(b), nil
}

func (t *transport) gone() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.left
}

// leave takes the socket away from pion, and returns when nobody reads it.
func (t *transport) leave() {
	t.mu.Lock()
	t.left = true
	_ = t.conn.SetDeadline(time.Unix(1, 0))
	t.mu.Unlock()
	t.reading.Lock()
	defer t.reading.Unlock()
	_ = t.conn.SetDeadline(time.Time{})
}

// Close implements net.PacketConn. The socket lives longer than that.
func (t *transport) Close() error { return nil }

// LocalAddr implements net.PacketConn.
func (t *transport) LocalAddr() net.Addr { return t.conn.LocalAddr() }

// SetDeadline implements net.PacketConn.
func (t *transport) SetDeadline(at time.Time) error { return t.set(t.conn.SetDeadline, at) }

// SetReadDeadline implements net.PacketConn.
func (t *transport) SetReadDeadline(at time.Time) error { return t.set(t.conn.SetReadDeadline, at) }

// SetWriteDeadline implements net.PacketConn.
func (t *transport) SetWriteDeadline(at time.Time) error { return t.set(t.conn.SetWriteDeadline, at) }

func (t *transport) set(f func(time.Time) error, at time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.left {
		return os.ErrClosed
	}
	return f(at)
}

// secured is a datagram connection after a DTLS handshake: what is written is sealed, what is read was
// opened. Only the device's goroutine uses it; deadlines may be set from elsewhere.
type secured struct {
	net.Conn // the socket
	records
	d      *Dialer
	flight [][]byte // our last one, while the peer may ask for it again (RFC 6347 section 4.2.4)
	rest   []byte   // the records of a datagram after the first one with content
}

// Write sends b in one record.
func (s *secured) Write(b []byte) (int, error) { return len(b), s.put(recordApplication, b) }

func (s *secured) put(kind byte, content []byte) error {
	w := s.d.getScratch()
	defer s.d.scratch.Put(w)
	out := w.in[:0]
	if n := len(content) + s.overhead(); n > cap(out) {
		out = make([]byte, 0, n)
	}
	out, err := s.seal(&w.cryptic, out, kind, content)
	if err != nil {
		return err
	}
	_, err = s.Conn.Write(out)
	return err
}

// Read returns the content of one record. No bytes and no error: the datagram had no content.
func (s *secured) Read(b []byte) (int, error) {
	if n := s.more(b); n > 0 {
		return s.unwrap(b, n)
	}
	n, err := s.Conn.Read(b)
	if err != nil {
		return 0, err
	}
	return s.unwrap(b, n)
}

// more puts what is left of the last datagram into b.
func (s *secured) more(b []byte) int {
	n := copy(b, s.rest)
	s.rest = nil
	return n
}

// unwrap opens the datagram of n bytes in b and moves its content to the beginning. The error is the
// end of the association.
func (s *secured) unwrap(b []byte, n int) (int, error) {
	w := s.d.getScratch()
	defer s.d.scratch.Put(w)
	again := false
	for rest := b[:n]; len(rest) > 0; {
		record, after, ok := cut(rest)
		if !ok {
			break
		}
		rest = after
		if kind := record[0]; kind == recordHandshake || kind == recordChangeCipherSpec {
			again = true
			continue
		}
		content, ok := s.open(&w.cryptic, record)
		switch {
		case !ok:
		case record[0] == recordAlert:
			const warning, closeNotify = 1, 0
			if len(content) == 2 && (content[0] != warning || content[1] == closeNotify) {
				return 0, errAlert
			}
		case record[0] == recordApplication:
			s.flight = nil
			if len(rest) > 0 {
				s.rest = append([]byte(nil), rest...)
			}
			return copy(b, content), nil
		}
	}
	if again {
		for _, datagram := range s.flight {
			_, _ = s.Conn.Write(datagram) // the peer asks again if it gets lost
		}
	}
	return 0, nil
}

// goodbye tells the peer that the association ends: close_notify.
func (s *secured) goodbye() { _ = s.put(recordAlert, []byte{1, 0}) }
