package http

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// saying is a peer that says some bytes, a few at a time, and hangs up.
type saying struct {
	rest []byte
	step int
}

func (s *saying) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), s.step)], s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func (s *saying) Write(p []byte) (int, error)      { return len(p), nil }
func (s *saying) Close() error                     { return nil }
func (s *saying) LocalAddr() net.Addr              { return nil }
func (s *saying) RemoteAddr() net.Addr             { return nil }
func (s *saying) SetDeadline(time.Time) error      { return nil }
func (s *saying) SetReadDeadline(time.Time) error  { return nil }
func (s *saying) SetWriteDeadline(time.Time) error { return nil }

// Whatever a peer says, a request ends with one of its outcomes, hands on what the peer sent and no more, and
// keeps a connection only after a whole answer.
func FuzzAnswer(f *testing.F) {
	for _, c := range answers() {
		f.Add([]byte(c.text), c.q.Offset, uint8(0), uint8(7))
	}
	f.Fuzz(func(t *testing.T, text []byte, offset int64, method, step uint8) {
		o := new(Opener)
		l := &Line{opener: o, caller: sim.Caller{Endpoint: "plc.test:80"}}
		l.wire.conn = &saying{text, int(step) + 1}
		q := sim.Request{Method: []string{"GET", "HEAD", "POST"}[method%3]}
		if offset > 0 && q.Method == "GET" {
			q.Offset = offset
		}
		var body bytes.Buffer
		a, outcome := l.Request(t.Context(), &q, func(_ *sim.Answer, part []byte) error {
			body.Write(part)
			return nil
		})
		switch outcome {
		case sim.OK:
			if a.Code < 200 || a.Received != int64(body.Len()) || a.Code == 206 && a.Size >= 0 && a.Offset+a.Received > a.Size {
				t.Errorf("%+v", a)
			}
			if q.Method == "HEAD" && body.Len() > 0 {
				t.Error("a HEAD with a body")
			}
		case sim.HTTPMalformed, sim.HTTPIncomplete, sim.HTTPTooLarge, sim.TCPClosed:
			if l.wire.conn != nil {
				t.Error("the connection is still there")
			}
		default:
			t.Errorf("%v", outcome)
		}
		if body.Len() > len(text) {
			t.Errorf("%d bytes of %d", body.Len(), len(text))
		}
	})
}
