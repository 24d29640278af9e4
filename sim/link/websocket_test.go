package link

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

// webPair is both ends of a WebSocket on a pipe.
func webPair(t *testing.T) (client, server net.Conn, wire net.Conn) {
	t.Helper()
	near, far := net.Pipe()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := new(Upgrader).Accept(far)
		if err != nil {
			t.Error(err)
		}
		accepted <- c
	}()
	client, err := new(Dialer).WebSocket(t.Context(), near, "broker:80", "/mqtt?x=1")
	if err != nil {
		t.Fatal(err)
	}
	server = <-accepted
	t.Cleanup(func() { _, _ = near.Close(), far.Close() })
	return client, server, far
}

func TestWebSocketCarriesBothWays(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		client, server, _ := webPair(t)
		for _, n := range []int{1, 125, 126, 65_535, 65_536, 100_000} {
			sent := bytes.Repeat([]byte{byte(n), 2, 3, 5, 7}, n/5+1)[:n]
			for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
				kept := bytes.Clone(sent)
				go func() {
					if _, err := way[0].Write(sent); err != nil {
						t.Error(err)
					}
				}()
				got := make([]byte, n)
				if _, err := io.ReadFull(way[1], got); err != nil || !bytes.Equal(got, kept) || !bytes.Equal(sent, kept) {
					t.Errorf("%d bytes: %v", n, err)
				}
			}
		}
	})
}

// The deadline is the device's clock: a Read that it ends, between any two bytes of a frame, has
// lost nothing.
func TestWebSocketReadGoesOnAfterDeadline(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		client, _, wire := webPair(t)
		var stream []byte
		for _, f := range []string{"\x02\x03abc", "\x89\x02hi", "\x00\x01d", "\x80\x7e\x00\x02ef", "\x82\x7f\x00\x00\x00\x00\x00\x00\x00\x01g"} {
			stream = append(stream, f...)
		}
		var answers bytes.Buffer
		copied := make(chan struct{})
		go func() {
			_, _ = io.Copy(&answers, wire)
			close(copied)
		}()
		var got []byte
		p := make([]byte, 64)
		for i := range stream {
			go func() { _, _ = wire.Write(stream[i : i+1]) }()
			_ = client.SetReadDeadline(time.Now().Add(time.Second))
			for {
				n, err := client.Read(p)
				if got = append(got, p[:n]...); errors.Is(err, os.ErrDeadlineExceeded) {
					break
				} else if err != nil {
					t.Fatalf("after byte %d: %v", i, err)
				}
			}
		}
		if string(got) != "abcdefg" {
			t.Errorf("got %q", got)
		}
		_ = wire.Close()
		<-copied
		if b := answers.Bytes(); len(b) != 8 || b[0] != 0x8A || b[1] != 0x82 || b[6]^b[2] != 'h' || b[7]^b[3] != 'i' {
			t.Errorf("the ping was answered with %x", answers.Bytes())
		}
	})
}

// A pong is due when the device's write deadline has long passed, and leaves that as it was.
func TestPongNeedsNoDeadlineOfTheDevice(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		client, _, wire := webPair(t)
		past := time.Unix(1, 0)
		_ = client.SetWriteDeadline(past)
		go func() { _, _ = client.Read(make([]byte, 8)) }()
		_, _ = wire.Write([]byte("\x89\x00"))
		answer := make([]byte, 6)
		if _, err := io.ReadFull(wire, answer); err != nil || answer[0] != 0x8A {
			t.Errorf("%x, %v", answer, err)
		}
		synctest.Wait()
		if _, err := client.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the device's deadline was forgotten: %v", err)
		}
	})
}

// What a peer may not send ends the connection with a class and a close frame, at the earliest byte.
func TestHostileFrames(t *testing.T) {
	for name, c := range map[string]struct {
		frames string
		want   sim.Outcome
		code   uint16
	}{
		"text":                      {"\x81", sim.MQTTMalformed, codeBroken},
		"reserved bit":              {"\xC2", sim.MQTTMalformed, codeBroken},
		"unknown opcode":            {"\x83", sim.MQTTMalformed, codeBroken},
		"unknown control":           {"\x8B", sim.MQTTMalformed, codeBroken},
		"continuation of nothing":   {"\x80", sim.MQTTMalformed, codeBroken},
		"message in a message":      {"\x02\x01a\x82", sim.MQTTMalformed, codeBroken},
		"ping in fragments":         {"\x09", sim.MQTTMalformed, codeBroken},
		"long ping":                 {"\x89\x7e", sim.MQTTMalformed, codeBroken},
		"masked by a server":        {"\x82\x81", sim.MQTTMalformed, codeBroken},
		"length beyond 63 bits":     {"\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00", sim.MQTTMalformed, codeBroken},
		"close with half a code":    {"\x88\x01\x03", sim.MQTTMalformed, codeBroken},
		"going away":                {"\x88\x02\x03\xe9", sim.TCPClosed, codeNormal},
		"close without code":        {"\x88\x00", sim.TCPClosed, codeNormal},
		"it says that we broke it":  {"\x88\x02\x03\xea", sim.MQTTProtocolError, codeNormal},
		"it says that it's too big": {"\x88\x05\x03\xf1big", sim.MQTTTooLarge, codeNormal},
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				client, _, wire := webPair(t)
				go func() { _, _ = wire.Write([]byte(c.frames)) }()
				said := make(chan []byte, 1)
				go func() {
					b := make([]byte, 8)
					_, _ = io.ReadFull(wire, b)
					said <- b
				}()
				var err error
				for p := make([]byte, 8); err == nil; {
					_, err = client.Read(p)
				}
				if o, ok := Outcome(err); !ok || o != c.want {
					t.Errorf("%v is %v", err, o)
				}
				b := <-said
				if code := binary.BigEndian.Uint16([]byte{b[6] ^ b[2], b[7] ^ b[3]}); b[0] != 0x88 || code != c.code {
					t.Errorf("the peer was told %x", b)
				}
				if _, again := client.Read(make([]byte, 8)); again != err {
					t.Errorf("the next read says %v", again)
				}
			})
		})
	}
}

// Whatever answers the upgrade with something else is WSRefused; whoever hangs up is TCP's.
func TestUpgradeRefused(t *testing.T) {
	const ok = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	for name, answer := range map[string]string{
		"not found":    "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
		"not HTTP":     "\x20\x02\x00\x00 and so on\r\n",
		"other key":    ok + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n",
		"no protocol":  ok + "Sec-WebSocket-Accept: KEY\r\n\r\n",
		"no upgrade":   "HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: KEY\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n",
		"an extension": ok + "Sec-WebSocket-Accept: KEY\r\nSec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
		"endless":      "HTTP/1.1 101 Switching Protocols\r\n" + strings.Repeat("X: y\r\n", maxHello),
		"silence":      "",
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				defer func() { _, _ = near.Close(), far.Close() }()
				go func() {
					b := make([]byte, 4096)
					n, _ := far.Read(b)
					for !bytes.Contains(b[:n], []byte("\r\n\r\n")) {
						m, err := far.Read(b[n:])
						if n += m; err != nil {
							return
						}
					}
					_, key, _ := strings.Cut(string(b[:n]), "Sec-Websocket-Key: ")
					key, _, _ = strings.Cut(key, "\r\n")
					_, _ = io.WriteString(far, strings.Replace(answer, "KEY", acceptance(key), 1))
				}()
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				_, err := new(Dialer).WebSocket(ctx, near, "h:1", "/mqtt")
				if o, ok := Outcome(err); !ok || o != sim.WSRefused {
					t.Errorf("%v is %v", err, o)
				}
			})
		})
	}
	bubble.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		go func() {
			_, _ = far.Read(make([]byte, 4096))
			_ = far.Close()
		}()
		_, err := new(Dialer).WebSocket(t.Context(), near, "h:1", "/mqtt")
		if _, ok := Outcome(err); ok || !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%v", err)
		}
	})
}

// Frames of any cut and any content give what an independent reading of the whole gives.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("\x82\x03abc\x89\x00\x02\x01d\x80\x01e\x88\x02\x03\xe8"), uint8(3), false)
	f.Add([]byte("\x82\x83\x01\x02\x03\x04abc"), uint8(1), true)
	f.Add([]byte("\x82\x7e\x00\x05abcde\x82\x7f\x00\x00\x00\x00\x00\x00\x00\x01f"), uint8(2), false)
	f.Fuzz(func(t *testing.T, stream []byte, cut uint8, server bool) {
		want, bad := payloads(stream, server)
		w := &websocket{Conn: nowhere{}, buffers: new(buffers), server: server}
		var got []byte
		for b := bytes.Clone(stream); len(b) > 0 && w.err == nil; {
			n := min(int(cut)+1, len(b))
			got = append(got, b[:w.decode(b[:n])]...)
			b = b[n:]
		}
		if !bytes.Equal(got, want) || (w.err != nil) != bad {
			t.Errorf("got %x, %v; want %x, %v", got, w.err, want, bad)
		}
	})
}

// payloads reads whole frames, one after the other, the plain way.
func payloads(b []byte, server bool) (out []byte, bad bool) {
	open := false
	for len(b) > 0 {
		op, fin := b[0]&15, b[0]&128 != 0
		control := op >= 8
		if b[0]&0x70 != 0 || op > 2 && op < 8 || op > 10 || op == 1 || control && !fin ||
			!control && (op == 0) != open {
			return out, true
		}
		if len(b) < 2 {
			return out, false
		}
		n, at := uint64(b[1]&127), 2
		if (b[1]&128 != 0) != server || control && n > 125 {
			return out, true
		}
		for extra, width := range map[uint64]int{126: 2, 127: 8} {
			if b[1]&127 == byte(extra) {
				if len(b) < at+width {
					return out, false
				}
				n = 0
				for _, x := range b[at : at+width] {
					n = n<<8 | uint64(x)
				}
				at += width
			}
		}
		var mask []byte
		if server {
			if len(b) < at+4 {
				return out, false
			}
			mask, at = b[at:at+4], at+4
		}
		if n>>63 != 0 {
			return out, true
		}
		body := bytes.Clone(b[at:])
		whole := uint64(len(body)) >= n
		if whole {
			body = body[:n]
		}
		for i := range body {
			if server {
				body[i] ^= mask[i%4]
			}
		}
		if !control {
			out = append(out, body...)
			open = !fin
		}
		if !whole {
			return out, false
		}
		if op == 8 {
			return out, true
		}
		b = b[uint64(at)+n:]
	}
	return out, false
}

// nowhere is a connection that takes everything.
type nowhere struct{ net.Conn }

func (nowhere) Write(p []byte) (int, error)      { return len(p), nil }
func (nowhere) SetWriteDeadline(time.Time) error { return nil }
