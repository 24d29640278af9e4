package specimen_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/myriad-iot/myriad/sim"
)

// script is the broker's end of a connection, written byte by byte: it owes nothing to any library.
type script struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
	out  chan []byte // a pipe has no buffer, and a client may be writing too
	v5   bool
}

// packet is one that a client sent.
type packet struct {
	first byte // type and flags
	body  []byte
}

func (p packet) kind() byte { return p.first >> 4 }
func (p packet) dup() bool  { return p.first&8 != 0 }

// id is the packet identifier of a PUBLISH of QoS 1 or 2, a SUBSCRIBE, or an answer.
func (p packet) id() uint16 {
	if p.kind() == 3 {
		return binary.BigEndian.Uint16(p.body[2+binary.BigEndian.Uint16(p.body):])
	}
	return binary.BigEndian.Uint16(p.body)
}

// The packet types of MQTT, as the scripts use them.
const (
	typePublish    = 3
	typePubrel     = 6
	typeSubscribe  = 8
	typePingreq    = 12
	typeDisconnect = 14
)

// scripted returns a DialConn to pipes whose other ends the scripts serve, one after the other. Wait
// for ended before the test does.
func scripted(t *testing.T, version string, scripts ...func(s *script)) (dial func(context.Context, *sim.Caller) (net.Conn, error), ended chan struct{}) {
	ended = make(chan struct{}, len(scripts))
	dial = func(context.Context, *sim.Caller) (net.Conn, error) {
		near, far := net.Pipe()
		run := scripts[0]
		scripts = scripts[1:]
		go func() {
			defer func() { ended <- struct{}{} }()
			defer far.Close()
			s := &script{t: t, conn: far, in: bufio.NewReader(far), out: make(chan []byte, 100), v5: version == "5"}
			var writer sync.WaitGroup
			writer.Go(s.deliver)
			run(s)
			close(s.out)
			writer.Wait()
		}()
		return near, nil
	}
	return dial, ended
}

// read returns the next packet; at the end of the stream its kind is 0.
func (s *script) read() packet {
	first, err := s.in.ReadByte()
	if err != nil {
		return packet{}
	}
	length, err := binary.ReadUvarint(s.in) // MQTT's remaining length is the same for four bytes
	if err != nil {
		s.t.Errorf("remaining length: %v", err)
	}
	p := packet{first: first, body: make([]byte, length)}
	if _, err := io.ReadFull(s.in, p.body); err != nil {
		s.t.Errorf("body: %v", err)
	}
	return p
}

// next reads on to a packet that is no PINGREQ, which it answers: when a client pings is its own matter.
func (s *script) next() packet {
	for {
		p := s.read()
		if p.kind() != typePingreq {
			return p
		}
		s.write(0xD0, 0)
	}
}

func (s *script) expect(kind byte) packet {
	s.t.Helper()
	p := s.next()
	if p.kind() != kind {
		s.t.Errorf("got a packet of type %d, want %d", p.kind(), kind)
	}
	return p
}

func (s *script) write(b ...byte) { s.out <- b }

// deliver writes until the script is over; the client may be gone by then.
func (s *script) deliver() {
	for b := range s.out {
		if _, err := s.conn.Write(b); err != nil && err != io.ErrClosedPipe {
			s.t.Errorf("script writes: %v", err)
		}
	}
}

// connack reads CONNECT and answers it.
func (s *script) connack(present, code byte, properties ...byte) packet {
	p := s.expect(1)
	if s.v5 {
		s.write(append([]byte{0x20, byte(3 + len(properties)), present, code, byte(len(properties))}, properties...)...)
	} else {
		s.write(0x20, 2, present, code)
	}
	return p
}

// answer writes PUBACK, PUBREC or PUBCOMP.
func (s *script) answer(first byte, id uint16) { s.write(first, 2, byte(id>>8), byte(id)) }

// drain reads until the client is gone and reports whether it said DISCONNECT.
func (s *script) drain() (goodbye bool) {
	for {
		switch s.next().kind() {
		case 0:
			return goodbye
		case typeDisconnect:
			goodbye = true
		}
	}
}
