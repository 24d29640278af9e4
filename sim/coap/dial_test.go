package coap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

// dialing runs one Dial against script in virtual time.
func dialing(t *testing.T, b sim.Binding, ctx context.Context, wrap func(net.Conn) net.Conn,
	script func(far *peer, a arrival),
	check func(conv sim.Conversation, facts sim.Facts, o sim.Outcome, took time.Duration, far *peer)) {
	t.Helper()
	near, end := net.Pipe()
	far := newPeer(end)
	far.play(func(a arrival) { script(far, a) })
	d := &Dialer{Binding: b, DialConn: func(context.Context, string, sim.Ordinal) (net.Conn, error) {
		return wrap(near), nil
	}}
	start := time.Now()
	conv, facts, o := d.Dial(ctx, &sim.Caller{Key: 1})
	check(conv, facts, o, time.Since(start), far)
	if conv != nil {
		conv.Close(false)
	}
	if _, err := near.Write([]byte{0}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("the transport is still open: %v", err)
	}
	end.Close()
}

func plain(c net.Conn) net.Conn { return c }

func TestPongs(t *testing.T) {
	for name, pong := range map[string]func(uint16) []byte{"reset": rst, "empty ACK": ack} {
		for answered := 1; answered <= 3; answered++ { // the fourth comes after the connect timeout
			t.Run(fmt.Sprintf("%s to ping %d", name, answered), func(t *testing.T) {
				bubble.Test(t, func(t *testing.T) {
					n := 0
					script := func(far *peer, a arrival) {
						if a.kind != message.Confirmable {
							return
						}
						far.send([]byte{1, 2, 3})
						far.send(ping(4)) // the peer may ask, too
						far.send(rst(a.id + 1))
						if n++; n == answered {
							far.send(pong(a.id))
						}
					}
					t0 := firstTimeout(1, 0, 2*time.Second, 1.5)
					dialing(t, sim.Binding{}, t.Context(), plain, script,
						func(_ sim.Conversation, facts sim.Facts, o sim.Outcome, took time.Duration, far *peer) {
							if want := t0 * (1<<(answered-1) - 1); o != sim.OK || took != want {
								t.Errorf("dial: %v after %v, want %v", o, took, want)
							}
							if facts.Established.Sub(facts.Opened) != took {
								t.Errorf("facts = %+v", facts)
							}
						})
				})
			})
		}
	}
}

func TestSilentPeerAtDial(t *testing.T) {
	t0 := firstTimeout(1, 0, 2*time.Second, 1.5)
	tests := []struct {
		name  string
		limit time.Duration
		took  time.Duration
		pings int
	}{
		{"default connect timeout", 0, 10 * time.Second, 3},
		{"short", time.Second, time.Second, 1},
		{"longer than the repetitions", time.Hour, 31 * t0, 5},
	}
	for _, tt := range tests {
		for _, icmp := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/icmp %v", tt.name, icmp), func(t *testing.T) {
				bubble.Test(t, func(t *testing.T) {
					script := func(far *peer, _ arrival) {
						if icmp {
							far.send(icmpError)
						}
					}
					want := sim.CoAPTimeout
					if icmp {
						want = sim.CoAPUnreachable
					}
					dialing(t, sim.Binding{ConnectTimeout: sim.Duration(tt.limit)}, t.Context(), withICMP, script,
						func(conv sim.Conversation, _ sim.Facts, o sim.Outcome, took time.Duration, far *peer) {
							if conv != nil || o != want || took != tt.took {
								t.Errorf("dial: %v, %v after %v, want %v after %v", conv, o, took, want, tt.took)
							}
							if got := len(far.arrivals()); got != tt.pings {
								t.Errorf("%d pings, want %d", got, tt.pings)
							}
						})
				})
			})
		}
	}
}

func TestDialEndsWithItsContext(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, cancel)
		dialing(t, sim.Binding{}, ctx, plain, func(*peer, arrival) {},
			func(conv sim.Conversation, _ sim.Facts, o sim.Outcome, took time.Duration, _ *peer) {
				if conv != nil || o != sim.AppUnknown || took != 3*time.Second {
					t.Errorf("dial: %v, %v after %v", conv, o, took)
				}
			})
		if _, _, o := new(Dialer).Dial(ctx, &sim.Caller{Endpoint: "127.0.0.1:5683"}); o != sim.AppUnknown {
			t.Errorf("dial of one who has left already: %v", o)
		}
	})
}

func TestDialGivesUpOnATransportThatTakesNothing(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		near, end := net.Pipe() // nobody reads
		d := &Dialer{DialConn: func(context.Context, string, sim.Ordinal) (net.Conn, error) { return near, nil }}
		start := time.Now()
		_, _, o := d.Dial(t.Context(), &sim.Caller{})
		if o != sim.CoAPTimeout || time.Since(start) != 10*time.Second {
			t.Errorf("dial: %v after %v", o, time.Since(start))
		}
		end.Close()
	})
}

func TestDialErrors(t *testing.T) {
	errno := func(e syscall.Errno) error {
		return &net.OpError{Op: "dial", Net: "udp", Err: os.NewSyscallError("socket", e)}
	}
	tests := []struct {
		err  error
		want sim.Outcome
	}{
		{errno(syscall.EMFILE), sim.LocalDescriptors}, {errno(syscall.ENFILE), sim.LocalDescriptors},
		{errno(syscall.EADDRNOTAVAIL), sim.LocalPorts}, {errno(syscall.EADDRINUSE), sim.LocalPorts},
		{errno(syscall.ENOBUFS), sim.LocalMemory}, {errno(syscall.ENOMEM), sim.LocalMemory},
		{errno(syscall.ENETUNREACH), sim.CoAPUnreachable},
		{&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", IsNotFound: true}}, sim.DNSFailure},
		{&net.OpError{Op: "dial", Err: &net.DNSError{Err: "timeout", IsTimeout: true}}, sim.DNSFailure},
		{context.DeadlineExceeded, sim.CoAPTimeout},
		{errno(syscall.EPERM), sim.LocalOther}, {errors.New("anything"), sim.LocalOther},
	}
	for _, tt := range tests {
		d := &Dialer{DialConn: func(context.Context, string, sim.Ordinal) (net.Conn, error) { return nil, tt.err }}
		if conv, _, o := d.Dial(t.Context(), &sim.Caller{}); o != tt.want || conv != nil {
			t.Errorf("dial with %v: %v, want %v", tt.err, o, tt.want)
		}
	}
	var d Dialer
	if _, _, o := d.Dial(t.Context(), &sim.Caller{Endpoint: "127.0.0.1"}); o != sim.LocalOther {
		t.Errorf("dial without a port: %v", o)
	}
}

func TestDialConnLearnsWhoCalls(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		near, end := net.Pipe()
		newPeer(end)
		d := &Dialer{DialConn: func(ctx context.Context, endpoint string, o sim.Ordinal) (net.Conn, error) {
			if _, limited := ctx.Deadline(); !limited || endpoint != "coap.test:5683" || o != 17 {
				t.Errorf("dialed %q for device %d, limited %v", endpoint, o, limited)
			}
			return near, nil
		}}
		conv, _, o := d.Dial(t.Context(), &sim.Caller{Endpoint: "coap.test:5683", Ordinal: 17})
		if o != sim.OK {
			t.Fatalf("dial: %v", o)
		}
		conv.Close(false)
		end.Close()
	})
}

// icmpConn turns a datagram that is icmpError into what a connected UDP socket reports after an
// ICMP port unreachable, and lets the next writes fail.
type icmpConn struct {
	net.Conn
	writeErrors []error
}

var icmpError = []byte("ICMP port unreachable")

func refused() error {
	return &net.OpError{Op: "read", Net: "udp", Err: os.NewSyscallError("read", syscall.ECONNREFUSED)}
}

func withICMP(c net.Conn) net.Conn { return &icmpConn{Conn: c} }

func (c *icmpConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if string(b[:n]) == string(icmpError) {
		return 0, refused()
	}
	return n, err
}

func (c *icmpConn) Write(b []byte) (int, error) {
	if len(c.writeErrors) > 0 {
		err := c.writeErrors[0]
		c.writeErrors = c.writeErrors[1:]
		if err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(b)
}

func TestICMPErrorsAreSoft(t *testing.T) {
	const key = 3
	t0 := firstTimeout(key, 1, 2*time.Second, 1.5)
	enobufs := &net.OpError{Op: "write", Err: os.NewSyscallError("write", syscall.ENOBUFS)}
	tests := []struct {
		name     string
		writes   []error            // of the writes from Publish on
		reply    func(n int) []byte // to transmission n, from 1
		want     sim.Outcome
		attempts uint16
		at       time.Duration
		arrive   int // transmissions that reach the peer
	}{
		{"nothing else", nil, func(int) []byte { return icmpError }, sim.CoAPUnreachable, 5, 31 * t0, 5},
		{"once", nil, func(n int) []byte {
			if n == 1 {
				return icmpError
			}
			return nil
		}, sim.CoAPUnreachable, 5, 31 * t0, 5},
		{"and another datagram", nil, func(n int) []byte {
			if n == 3 {
				return header(message.NonConfirmable, codes.Changed, 1, "stranger")
			}
			return icmpError
		}, sim.CoAPTimeout, 5, 31 * t0, 5},
		{"then the peer is back", nil, func(n int) []byte {
			if n < 3 {
				return icmpError
			}
			return []byte("answer")
		}, sim.OK, 3, 3 * t0, 3},
		{"reported by the next write", []error{nil, refused(), nil, refused()}, func(int) []byte { return nil },
			sim.CoAPUnreachable, 5, 31 * t0, 5},
		{"no route at first", []error{refused(), refused(), nil}, func(int) []byte { return []byte("answer") },
			sim.OK, 2, t0, 1},
		{"out of memory at a repetition", []error{nil, enobufs}, func(int) []byte { return nil },
			sim.LocalMemory, 2, t0, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var conn *icmpConn
			wrap := func(c net.Conn) net.Conn { conn = &icmpConn{Conn: c}; return conn }
			sessionOver(t, sim.CoAP{}, key, wrap, func(t *testing.T, c *Conversation, far *peer) {
				n := 0
				far.play(func(a arrival) {
					n++
					switch b := tt.reply(n); string(b) {
					case "":
					case "answer":
						far.send(piggyback(a, codes.Changed))
					default:
						far.send(b)
					}
				})
				conn.writeErrors = tt.writes
				start := time.Now()
				publish(t, c, report(0))
				kind := sim.EventFailed
				if tt.want == sim.OK {
					kind = sim.EventAcked
				}
				ev := expect(t, c, kind, 0, tt.want, tt.attempts)
				if ev.At.Sub(start) != tt.at {
					t.Errorf("ended after %v, want %v", ev.At.Sub(start), tt.at)
				}
				if got := len(far.arrivals()); got != tt.arrive {
					t.Errorf("%d transmissions arrived, want %d", got, tt.arrive)
				}
				// The socket is as good as before.
				far.play(func(a arrival) { far.send(piggyback(a, codes.Changed)) })
				publish(t, c, report(1))
				expect(t, c, sim.EventAcked, 1, sim.OK, 1)
			})
		})
	}
}

func TestLocalErrorEndsTheConversation(t *testing.T) {
	var conn *icmpConn
	wrap := func(c net.Conn) net.Conn { conn = &icmpConn{Conn: c}; return conn }
	for _, qos := range []byte{0, 1} {
		sessionOver(t, sim.CoAP{}, 1, wrap, func(t *testing.T, c *Conversation, _ *peer) {
			conn.writeErrors = []error{&net.OpError{Op: "write", Err: os.NewSyscallError("write", syscall.ENOBUFS)}}
			m := report(0)
			m.QoS = qos
			if o := c.Publish(m); o != sim.LocalMemory {
				t.Errorf("publish: %v", o)
			}
			for range 2 {
				if ev := c.Wait(time.Time{}); ev.Kind != sim.EventDown || ev.Outcome != sim.LocalMemory {
					t.Errorf("event = %+v, want down", ev)
				}
			}
		})
	}
}

func TestTransportClosedByTheFarEnd(t *testing.T) {
	session(t, sim.CoAP{}, 1, func(t *testing.T, c *Conversation, far *peer) {
		time.AfterFunc(time.Second, func() { far.conn.Close() })
		if ev := c.Wait(time.Time{}); ev.Kind != sim.EventDown || ev.Outcome != sim.CoAPUnreachable {
			t.Errorf("event = %+v", ev)
		}
	})
}
