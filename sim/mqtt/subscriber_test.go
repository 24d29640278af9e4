package mqtt

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

// quick is a connection on which PUBACKs may linger.
type quick struct{ net.Conn }

func (quick) QuickAck() error { return nil }

// farEnd runs a subscriber against one script per connection; a dial beyond them is refused. It
// returns what Run returned and what the callbacks told, each line with its instant.
func farEnd(t *testing.T, s *Subscriber, life time.Duration, scripts ...func(p *peer)) (told []string, err error) {
	t.Helper()
	t0, dials := time.Now(), 0
	var wg sync.WaitGroup
	s.Endpoint, s.ClientID, s.Filters, s.QoS = "broker:1883", "probe", []string{"a/#", "b/+"}, 1
	s.DialConn = func(context.Context, string) (net.Conn, error) {
		if dials++; dials > len(scripts) || scripts[dials-1] == nil {
			return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
		}
		ours, theirs := net.Pipe()
		script := scripts[dials-1]
		wg.Go(func() {
			defer theirs.Close()
			script(newPeer(t, theirs, 4))
		})
		return quick{ours}, nil
	}
	var mu sync.Mutex
	// Rounded, because PUBACKs may linger for a millisecond.
	tell := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, fmt.Sprintf("%v ", time.Since(t0).Round(10*time.Millisecond))+fmt.Sprintf(format, args...))
	}
	s.OnUp = func(present bool) { tell("up %v", present) }
	s.OnDown = func(err error) { tell("down %v", OutcomeOf(err)) }
	s.OnMessage = func(topic, payload []byte, at time.Time, dup, retained bool) {
		if !at.Equal(time.Now()) {
			t.Errorf("message at %v", at)
		}
		tell("%s %s dup=%v%s", topic, payload, dup, map[bool]string{true: " retained"}[retained])
	}
	ctx, cancel := context.WithTimeout(t.Context(), life)
	defer cancel()
	err = s.Run(ctx)
	wg.Wait()
	return told, err
}

func (p *peer) welcome(present bool, clean bool) {
	p.t.Helper()
	if pk := p.expect(packets.Connect); pk.Connect.ClientIdentifier != "probe" || pk.Connect.Clean != clean {
		p.t.Errorf("CONNECT %+v", pk.Connect)
	}
	p.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connack}, SessionPresent: present})
}

func (p *peer) grant(codes ...byte) {
	p.t.Helper()
	pk := p.expect(packets.Subscribe)
	if len(pk.Filters) != 2 || pk.Filters[0].Qos != 1 {
		p.t.Errorf("SUBSCRIBE %+v", pk.Filters)
	}
	slices.SortFunc(pk.Filters, func(a, b packets.Subscription) int { return strings.Compare(a.Filter, b.Filter) })
	p.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Suback}, PacketID: pk.PacketID, ReasonCodes: codes})
}

func (p *peer) deliver(id uint16, payload string, dup bool) {
	p.t.Helper()
	p.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 1, Dup: dup}, PacketID: id,
		TopicName: "a/x", Payload: []byte(payload)})
	if pk := p.expect(packets.Puback); pk.PacketID != id {
		p.t.Errorf("PUBACK %d, want %d", pk.PacketID, id)
	}
}

func wantTold(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("told\n %s\nwant\n %s", strings.Join(got, "\n "), strings.Join(want, "\n "))
	}
}

func TestSubscriber(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		told, err := farEnd(t, &Subscriber{}, 5*time.Second, func(p *peer) {
			p.welcome(false, true)
			time.Sleep(time.Second)
			p.grant(1, 1)
			time.Sleep(time.Second)
			p.deliver(1, "m1", false)
			p.deliver(2, "m2", false)
			p.expect(packets.Disconnect)
		})
		if err != nil {
			t.Error(err)
		}
		wantTold(t, told, "1s up false", "2s a/x m1 dup=false", "2s a/x m2 dup=false")
	})
}

// A broker that restarts: the session is there again, or it is lost and must be made again.
func TestSubscriberReconnects(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		forgotten, refused, retries := false, 0, 0
		retry := func(err error) {
			if retries++; OutcomeOf(err) == sim.TCPRefused {
				refused++
			}
		}
		told, err := farEnd(t, &Subscriber{Session: true, Reconnect: true, OnRetry: retry}, 20*time.Second,
			nil, // not there yet
			func(p *peer) {
				p.welcome(true, false) // a session of an earlier run: its subscriptions prove nothing
				p.grant(1, 1)
				time.Sleep(10 * time.Millisecond) // OnUp and OnMessage have no order of their own
				p.deliver(1, "m1", false)
				time.Sleep(time.Second)
			},
			nil, nil, nil, nil,
			func(p *peer) { // resumed, and what was not acknowledged comes again
				p.welcome(true, false)
				time.Sleep(10 * time.Millisecond)
				p.deliver(2, "m2", true)
				time.Sleep(time.Second)
			},
			func(p *peer) { // lost between CONNACK and SUBACK: not up
				p.welcome(false, false)
				p.expect(packets.Subscribe)
			},
			func(p *peer) {
				p.welcome(false, false)
				p.grant(1, 1)
				p.expect(packets.Disconnect)
			},
			func(p *peer) {
				p.welcome(false, true)
				p.expect(packets.Disconnect)
				forgotten = true
			})
		if err != nil {
			t.Error(err)
		}
		wantTold(t, told,
			"100ms up true", "110ms a/x m1 dup=false", "1.11s down connection closed",
			"2.81s up true", "2.82s a/x m2 dup=true", "3.82s down connection closed", // after 100, 200, 400, 500 and 500 ms
			"4.12s up false")
		if !forgotten {
			t.Error("the session was left at the broker")
		}
		if refused != 4 || retries != 5 {
			t.Errorf("%d attempts to come back failed, %d were refused: want 5 and 4", retries, refused)
		}
	})
}

func TestSubscriberFails(t *testing.T) {
	tests := []struct {
		name   string
		sub    Subscriber
		took   time.Duration
		want   string
		script func(p *peer)
	}{
		{"refused filter", Subscriber{Reconnect: true}, 0, "subscription refused", func(p *peer) {
			p.welcome(false, true)
			p.grant(1, 0x80)
			p.read()
		}},
		{"no dial", Subscriber{}, 0, "connection refused", nil},
		{"lost", Subscriber{}, time.Second, "EOF", func(p *peer) {
			p.welcome(false, true)
			p.grant(1, 1)
			time.Sleep(time.Second)
		}},
		{"no connack", Subscriber{}, 10 * time.Second, "no connack", func(p *peer) {
			p.expect(packets.Connect)
			p.read()
		}},
		{"no suback", Subscriber{}, 10 * time.Second, "no suback", func(p *peer) {
			p.welcome(false, true)
			p.expect(packets.Subscribe)
			p.read()
		}},
		{"bad credentials", Subscriber{}, 0, "bad user name or password", func(p *peer) {
			p.expect(packets.Connect)
			p.write(0x20, 2, 0, 4)
		}},
		{"never there", Subscriber{Reconnect: true}, time.Minute, "connection refused", nil},
		{"silent to the end", Subscriber{Reconnect: true}, time.Minute, "", func(p *peer) {
			p.expect(packets.Connect)
			p.read()
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				began := time.Now()
				sub := test.sub
				_, err := farEnd(t, &sub, time.Minute, test.script)
				took := time.Since(began)
				if err == nil || !strings.Contains(err.Error(), test.want) || took != test.took {
					t.Errorf("after %v: %v", time.Since(began), err)
				}
				if refused := errors.Is(err, ErrRefused); refused != (test.took == 0 && test.sub.Reconnect) {
					t.Errorf("%v", err)
				}
			})
		})
	}
}

// PUBACKs share writes, but never hold up a broker that waits for them: how many it may have under way
// is not known, only how many it has had.
func TestAcknowledgementsLinger(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		const life = 5 * time.Second
		t0 := time.Now()
		told, err := farEnd(t, &Subscriber{}, life, func(p *peer) {
			p.welcome(false, true)
			p.grant(1, 1)
			id := uint16(0)
			publish := func(n int) { // in one write
				var batch []byte
				for range n {
					id++
					batch = append(batch, encoded(4, packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 1},
						PacketID: id, TopicName: "a/x", Payload: []byte("m")})...)
				}
				p.write(batch...)
			}
			acked := uint16(0)
			answered := func(n int, after time.Duration) {
				t.Helper()
				began := time.Now()
				for range n {
					acked++
					if pk := p.expect(packets.Puback); pk.PacketID != acked {
						t.Errorf("PUBACK %d, want %d", pk.PacketID, acked)
					}
				}
				if took := time.Since(began); took != after {
					t.Errorf("%d acknowledged after %v, want %v", acked, took, after)
				}
			}
			for range 3 { // a window of one
				publish(1)
				answered(1, 0)
			}
			publish(4)
			answered(4, 0)
			publish(1)
			answered(1, linger)
			publish(1)
			time.Sleep(linger / 2)
			publish(1)
			answered(2, linger/2)
			publish(2)
			publish(1)
			answered(3, 0)
			time.Sleep(life - time.Since(t0) - linger/2)
			publish(1)
			answered(1, linger/2) // before it goes
			p.expect(packets.Disconnect)
		})
		if err != nil {
			t.Error(err)
		}
		if len(told) != 1+3+4+1+2+3+1 {
			t.Errorf("told %q", told)
		}
	})
}
