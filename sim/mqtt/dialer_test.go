package mqtt

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

func TestDialConnect(t *testing.T) {
	tests := []struct {
		name      string
		binding   sim.Binding
		version   byte
		clean     bool
		keepAlive uint16
		expiry    uint32
	}{
		{"defaults", sim.Binding{}, 4, true, 60, 0},
		{"3.1.1 session", sim.Binding{Version: "3.1.1", Session: sim.Duration(time.Hour)}, 4, false, 60, 0},
		{"5 clean", sim.Binding{Version: "5", KeepAlive: sim.Duration(1500 * time.Millisecond)}, 5, true, 2, 0},
		{"5 session", sim.Binding{Version: "5", Session: sim.Duration(90 * time.Second)}, 5, false, 60, 90},
		{"5 long", sim.Binding{Version: "5", Session: sim.Duration(200 * 365 * 24 * time.Hour),
			KeepAlive: sim.Duration(48 * time.Hour)}, 5, false, 65535, 1<<32 - 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				var connect packets.Packet
				d, ended := scripted(t, test.binding, func(p *peer) {
					time.Sleep(3 * time.Second)
					connect = p.accept(packets.Properties{})
					p.expect(packets.Disconnect)
				})
				began := time.Now()
				c, facts, outcome := d.Dial(t.Context(), &sim.Caller{ID: "dev-7"})
				if outcome != sim.OK {
					t.Fatal(outcome)
				}
				c.Close(false)
				<-ended
				cp := connect.Connect
				if connect.ProtocolVersion != test.version || cp.Clean != test.clean || cp.Keepalive != test.keepAlive ||
					connect.Properties.SessionExpiryInterval != test.expiry || cp.ClientIdentifier != "dev-7" ||
					string(cp.ProtocolName) != "MQTT" || cp.WillFlag {
					t.Errorf("CONNECT %+v", connect)
				}
				if facts.SessionPresent == test.clean || facts.Reason != 0 || facts.Interrupter != c.(sim.Interrupter) ||
					!facts.Opened.Equal(began) || !facts.Established.Equal(began.Add(3*time.Second)) {
					t.Errorf("facts %+v", facts)
				}
			})
		})
	}
}

func TestDialAnswers(t *testing.T) {
	tests := []struct {
		name    string
		version string
		answer  []byte
		outcome sim.Outcome
		reason  byte
	}{
		{"3 version", "3.1.1", []byte{0x20, 2, 0, 1}, sim.MQTTRefused, 1},
		{"3 identifier", "3.1.1", []byte{0x20, 2, 0, 2}, sim.MQTTRefused, 2},
		{"3 unavailable", "3.1.1", []byte{0x20, 2, 0, 3}, sim.MQTTServerBusy, 3},
		{"3 password", "3.1.1", []byte{0x20, 2, 0, 4}, sim.MQTTBadCredentials, 4},
		{"3 not authorized", "3.1.1", []byte{0x20, 2, 0, 5}, sim.MQTTNotAuthorized, 5},
		{"3 reserved code", "3.1.1", []byte{0x20, 2, 0, 77}, sim.MQTTRefused, 77},
		{"3 session of a clean start", "3.1.1", []byte{0x20, 2, 1, 0}, sim.MQTTMalformed, 0},
		{"3 reserved flag", "3.1.1", []byte{0x20, 2, 2, 0}, sim.MQTTMalformed, 0},
		{"3 long", "3.1.1", []byte{0x20, 3, 0, 0, 0}, sim.MQTTMalformed, 0},
		{"3 short", "3.1.1", []byte{0x20, 1, 0}, sim.MQTTMalformed, 0},
		{"3 empty", "3.1.1", []byte{0x20, 0}, sim.MQTTMalformed, 0},
		{"3 flags", "3.1.1", []byte{0x21, 2, 0, 0}, sim.MQTTMalformed, 0},
		{"5 password", "5", []byte{0x20, 3, 0, 0x86, 0}, sim.MQTTBadCredentials, 0x86},
		{"5 not authorized", "5", []byte{0x20, 3, 0, 0x87, 0}, sim.MQTTNotAuthorized, 0x87},
		{"5 unavailable", "5", []byte{0x20, 3, 0, 0x88, 0}, sim.MQTTServerBusy, 0x88},
		{"5 busy", "5", []byte{0x20, 3, 0, 0x89, 0}, sim.MQTTServerBusy, 0x89},
		{"5 rate", "5", []byte{0x20, 3, 0, 0x9F, 0}, sim.MQTTServerBusy, 0x9F},
		{"5 banned", "5", []byte{0x20, 3, 0, 0x8A, 0}, sim.MQTTRefused, 0x8A},
		{"5 long reason", "5", append([]byte{0x20, 0x96, 1, 0, 0x87, 0x92, 1, 0x1F, 0, 143}, strings.Repeat("x", 143)...),
			sim.MQTTNotAuthorized, 0x87},
		{"5 legacy refusal", "5", []byte{0x20, 2, 0, 1}, sim.MQTTRefused, 1},
		{"5 legacy success", "5", []byte{0x20, 2, 0, 0}, sim.MQTTMalformed, 0},
		{"5 property cut", "5", []byte{0x20, 5, 0, 0, 2, 0x21, 0}, sim.MQTTMalformed, 0},
		{"5 unknown property", "5", []byte{0x20, 5, 0, 0, 2, 0x7E, 0}, sim.MQTTMalformed, 0},
		{"another packet", "3.1.1", []byte{0xD0, 0}, sim.MQTTMalformed, 0},
		{"disconnect", "5", []byte{0xE0, 1, 0x89}, sim.MQTTMalformed, 0},
		{"http", "3.1.1", []byte("HTTP/1.1 400 Bad Request\r\n\r\n"), sim.MQTTMalformed, 0},
		{"huge", "3.1.1", []byte{0x20, 0xFF, 0xFF, 0xFF, 0x7F}, sim.MQTTMalformed, 0},
		{"endless length", "5", []byte{0x20, 0x80, 0x80, 0x80, 0x80, 0x80}, sim.MQTTMalformed, 0},
		{"hangs up", "5", nil, sim.TCPClosed, 0},
		{"hangs up in the middle", "5", []byte{0x20, 3, 0}, sim.TCPClosed, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				d, ended := scripted(t, sim.Binding{Version: test.version}, func(p *peer) {
					p.expect(packets.Connect)
					p.write(test.answer...)
				})
				c, facts, outcome := d.Dial(t.Context(), &sim.Caller{ID: "dev-1"})
				if c != nil || outcome != test.outcome || facts.Reason != test.reason {
					t.Errorf("got %v, %v, reason %#x", c, outcome, facts.Reason)
				}
				<-ended
			})
		})
	}
}

func TestDialLate(t *testing.T) {
	tests := []struct {
		name   string
		script func(p *peer)
	}{
		{"reads nothing", func(p *peer) { time.Sleep(time.Minute) }},
		{"silent", func(p *peer) { p.expect(packets.Connect); p.read() }},
		{"late", func(p *peer) {
			p.expect(packets.Connect)
			time.Sleep(4 * time.Second)
			p.write(0x20, 2, 0, 0)
		}},
		{"byte by byte", func(p *peer) {
			p.expect(packets.Connect)
			for _, b := range []byte{0x20, 2, 0, 0} {
				time.Sleep(time.Second)
				p.write(b)
			}
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				b := sim.Binding{ConnectTimeout: sim.Duration(3500 * time.Millisecond)}
				d, ended := scripted(t, b, test.script)
				began := time.Now()
				_, facts, outcome := d.Dial(t.Context(), &sim.Caller{ID: "dev-1"})
				if took := time.Since(began); outcome != sim.MQTTConnackTimeout || took != b.ConnectTimeout.D() {
					t.Errorf("%v after %v", outcome, took)
				}
				if facts.Opened.IsZero() || !facts.Established.IsZero() {
					t.Errorf("facts %+v", facts)
				}
				<-ended
			})
		})
	}
}

func TestDialCancelled(t *testing.T) {
	tests := []struct {
		name    string
		ctx     func(context.Context) (context.Context, context.CancelFunc)
		outcome sim.Outcome
	}{
		{"cancel", func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(time.Second, cancel)
			return ctx, cancel
		}, sim.AppUnknown},
		{"deadline", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Second)
		}, sim.MQTTConnackTimeout},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				d, ended := scripted(t, sim.Binding{}, func(p *peer) { p.expect(packets.Connect); p.read() })
				ctx, cancel := test.ctx(t.Context())
				defer cancel()
				began := time.Now()
				_, _, outcome := d.Dial(ctx, &sim.Caller{ID: "dev-1"})
				if took := time.Since(began); outcome != test.outcome || took != time.Second {
					t.Errorf("%v after %v", outcome, took)
				}
				<-ended
			})
		})
	}
}

func TestDialTransport(t *testing.T) {
	d := &Dialer{DialConn: func(ctx context.Context, caller *sim.Caller) (net.Conn, error) {
		if _, ok := ctx.Deadline(); !ok || caller.Endpoint != "broker:1883" || caller.Ordinal != 9 {
			t.Errorf("DialConn(%v, %+v)", ctx, caller)
		}
		return nil, &net.OpError{Op: "dial", Err: syscall.EMFILE}
	}}
	c, _, outcome := d.Dial(t.Context(), &sim.Caller{Endpoint: "broker:1883", Ordinal: 9})
	if c != nil || outcome != sim.LocalDescriptors {
		t.Errorf("got %v, %v", c, outcome)
	}
	d = &Dialer{Binding: sim.Binding{Version: "4"}}
	if _, _, outcome = d.Dial(t.Context(), &sim.Caller{}); outcome != sim.LocalOther {
		t.Errorf("version 4: %v", outcome)
	}
}

// A port that nobody listens on, over the real network stack.
func TestDialRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	var d Dialer
	if _, _, o := d.Dial(t.Context(), &sim.Caller{Endpoint: l.Addr().String()}); o != sim.TCPRefused {
		t.Errorf("got %v", o)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, o := d.Dial(ctx, &sim.Caller{Endpoint: l.Addr().String()}); o != sim.AppUnknown {
		t.Errorf("cancelled before: %v", o)
	}
}

// The server's first packet after CONNACK may come in the same segment.
func TestConnackAndMore(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d, ended := scripted(t, sim.Binding{Version: "5"}, func(p *peer) {
			p.expect(packets.Connect)
			p.write(0x20, 3, 0, 0, 0, 0xE0, 1, 0x8E)
		})
		c, _, outcome := d.Dial(t.Context(), &sim.Caller{ID: "dev-1"})
		if outcome != sim.OK {
			t.Fatal(outcome)
		}
		wantEvent(t, c.Wait(after(time.Second)), sim.EventDown, 0, sim.MQTTTakenOver)
		<-ended
	})
}

func TestOutcomeOf(t *testing.T) {
	op := func(err error) error { return &net.OpError{Op: "read", Err: &net.OpError{Op: "inner", Err: err}} }
	tests := []struct {
		err  error
		want sim.Outcome
	}{
		{nil, sim.OK},
		{syscall.ECONNREFUSED, sim.TCPRefused},
		{syscall.ECONNRESET, sim.TCPReset},
		{syscall.ECONNABORTED, sim.TCPReset},
		{syscall.EPIPE, sim.TCPReset},
		{io.EOF, sim.TCPClosed},
		{io.ErrUnexpectedEOF, sim.TCPClosed},
		{io.ErrClosedPipe, sim.TCPClosed},
		{net.ErrClosed, sim.TCPClosed},
		{syscall.ETIMEDOUT, sim.TCPTimeout},
		{context.DeadlineExceeded, sim.TCPTimeout},
		{syscall.ENETUNREACH, sim.TCPUnreachable},
		{syscall.EHOSTUNREACH, sim.TCPUnreachable},
		{syscall.ENETDOWN, sim.TCPUnreachable},
		{syscall.EHOSTDOWN, sim.TCPUnreachable},
		{syscall.EMFILE, sim.LocalDescriptors},
		{syscall.ENFILE, sim.LocalDescriptors},
		{syscall.EADDRNOTAVAIL, sim.LocalPorts},
		{syscall.EADDRINUSE, sim.LocalPorts},
		{syscall.ENOBUFS, sim.LocalMemory},
		{syscall.ENOMEM, sim.LocalMemory},
		{&net.DNSError{Err: "no such host", IsNotFound: true}, sim.DNSFailure},
		{&net.DNSError{Err: "i/o timeout", IsTimeout: true}, sim.DNSFailure},
		{context.Canceled, sim.AppUnknown},
		{errMalformed, sim.MQTTMalformed},
		{syscall.EACCES, sim.LocalOther},
		{errors.New("anything"), sim.LocalOther},
	}
	for _, test := range tests {
		if got := OutcomeOf(test.err); got != test.want {
			t.Errorf("%v: %v, want %v", test.err, got, test.want)
		}
		if test.err == nil {
			continue
		}
		if got := OutcomeOf(op(test.err)); got != test.want {
			t.Errorf("wrapped %v: %v, want %v", test.err, got, test.want)
		}
	}
}
