package link

import (
	"bytes"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// script is a connection whose reads are given, and whose writes are kept.
type script struct {
	net.Conn
	in    []byte
	piece int
	said  bytes.Buffer
	heard func(b []byte) // what is written
}

func (c *script) Read(p []byte) (int, error) {
	if len(c.in) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.in[:min(len(c.in), c.piece)])
	c.in = c.in[n:]
	return n, nil
}

func (c *script) Write(p []byte) (int, error) {
	if c.heard != nil {
		c.heard(p)
	}
	return c.said.Write(p)
}
func (*script) SetDeadline(time.Time) error      { return nil }
func (*script) SetReadDeadline(time.Time) error  { return nil }
func (*script) SetWriteDeadline(time.Time) error { return nil }
func (*script) Close() error                     { return nil }

// FuzzUpgrade: whatever answers the upgrade is WSRefused or hung up, unless it is an answer to our key;
// what it says behind that answer is read as frames. KEY stands for the right answer.
func FuzzUpgrade(f *testing.F) {
	const ok = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: KEY\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
	f.Add([]byte(ok+"\x82\x02hi\x88\x00"), uint8(0))
	f.Add([]byte(ok), uint8(200))
	f.Add([]byte(strings.Replace(ok, "KEY", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", 1)+"\x82\x01a"), uint8(30))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n"), uint8(7))
	f.Add([]byte("HTTP/1.1 101 \r\nX: y"), uint8(1))
	f.Fuzz(func(t *testing.T, answer []byte, piece uint8) {
		conn := &script{piece: 1 + int(piece)}
		asked := false
		conn.heard = func(request []byte) {
			_, key, ok := strings.Cut(string(request), "Sec-Websocket-Key: ")
			if ok && !asked {
				key, _, _ = strings.Cut(key, "\r\n")
				conn.in, asked = bytes.Replace(answer, []byte("KEY"), []byte(acceptance(key)), 1), true
			}
		}
		w, err := new(Dialer).WebSocket(t.Context(), conn, "h:1", "/mqtt")
		if err != nil {
			if o, ok := Outcome(err); w != nil || ok && o != sim.WSRefused || !ok && err != io.EOF {
				t.Fatalf("%v, %v", w, err)
			}
			return
		}
		blank := regexp.MustCompile(`\n\r?\n`).FindIndex(answer) // RFC 9112 section 2.2
		head, rest := answer[:blank[0]], answer[blank[1]:]
		if !bytes.Contains(head, []byte("KEY")) {
			t.Fatalf("%q was taken for an answer", answer)
		}
		conn.heard = nil
		got, err := io.ReadAll(w)
		want, bad := payloads(rest, false)
		if !bytes.Equal(got, want) || bad == (err == nil) {
			t.Fatalf("behind the answer came %q, %v; want %q, bad %v", got, err, want, bad)
		}
	})
}

// FuzzAccept: any request is upgraded or refused with an error, and is told which.
func FuzzAccept(f *testing.F) {
	f.Add([]byte("GET /mqtt HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: a\r\nSec-WebSocket-Protocol: mqttv3.1, mqtt\r\n\r\n\x82\x82\x01\x02\x03\x04hi"), uint8(3))
	f.Add([]byte("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), uint8(200))
	f.Add([]byte("\x10\x0c\x00\x04MQTT"), uint8(0))
	f.Fuzz(func(t *testing.T, request []byte, piece uint8) {
		conn := &script{in: request, piece: 1 + int(piece)}
		w, err := new(Upgrader).Accept(conn)
		said := conn.said.String()
		if (w == nil) != (err != nil) || (err == nil) != strings.HasPrefix(said, "HTTP/1.1 101 ") ||
			err != nil && said != "" && !strings.HasPrefix(said, "HTTP/1.1 400 ") {
			t.Fatalf("%v, %v, said %q", w, err, said)
		}
		if w != nil {
			_, _ = io.Copy(io.Discard, w)
		}
	})
}

// FuzzWritten: whatever is written, in whatever pieces, is read by the independent reading of the whole,
// and by our own other end.
func FuzzWritten(f *testing.F) {
	f.Add([]byte("hello"), uint32(2), false)
	f.Add(make([]byte, 70_000), uint32(65_536), true)
	f.Add(make([]byte, 300), uint32(126), false)
	f.Fuzz(func(t *testing.T, text []byte, cut uint32, server bool) {
		conn := new(script)
		w := &websocket{Conn: conn, buffers: new(buffers), server: server}
		size := max(1, int(cut)%100_000, len(text)/100)
		for b := bytes.Clone(text); len(b) > 0; {
			n := min(size, len(b))
			if m, err := w.Write(b[:n]); m != n || err != nil {
				t.Fatalf("%d of %d, %v", m, n, err)
			}
			b = b[n:]
		}
		_ = w.Close()
		if got, closed := payloads(conn.said.Bytes(), !server); !bytes.Equal(got, text) || !closed {
			t.Fatalf("%d bytes of %d are those written, closed %v", len(got), len(text), closed)
		}
		other := &websocket{Conn: &script{in: conn.said.Bytes(), piece: 1000}, buffers: new(buffers), server: !server}
		if got, err := io.ReadAll(other); !bytes.Equal(got, text) {
			t.Fatalf("our other end reads %d bytes of %d, and then %v", len(got), len(text), err)
		}
	})
}
