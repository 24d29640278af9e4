package link_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/backend"
	"github.com/myriad-iot/myriad/sim/coap"
	"github.com/myriad-iot/myriad/sim/identity"
	"github.com/myriad-iot/myriad/sim/link"
	"github.com/myriad-iot/myriad/sim/mqtt"
)

// Weather below every transport that devices speak, to the embedded broker and CoAP server.

// sky is weather by a function of the instant.
type sky func(at sim.Instant) sim.Conditions

// At implements sim.Weather.
func (s sky) At(_ sim.Ordinal, at sim.Instant) sim.Conditions { return s(at) }

func always(c sim.Conditions) sky { return func(sim.Instant) sim.Conditions { return c } }

// servers runs the embedded services, and returns where each scheme is served.
func servers(t *testing.T) sim.Endpoints {
	t.Helper()
	const any = "127.0.0.1:0"
	ctx, cancel := context.WithCancel(t.Context())
	ready, done := make(chan sim.Endpoints), make(chan error)
	go func() {
		done <- backend.Serve(ctx, backend.Options{
			MQTT: any, MQTTS: any, WS: any, WSS: any, CoAP: any, CoAPS: any, CoAPTCP: any, CoAPSTCP: any,
			Identity: backend.Identity{Seed: seed},
		}, nil, func(at sim.Endpoints) { ready <- at })
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	select {
	case at := <-ready:
		return at
	case err := <-done:
		t.Fatal(err)
	}
	return nil
}

// under is a dialer of a scheme's devices under weather.
func under(t *testing.T, scheme sim.Scheme, channel sim.Channel, w sim.Weather) sim.Dialer {
	t.Helper()
	authority := &identity.Authority{Seed: seed}
	b := sim.Binding{Channel: channel, Transport: scheme.Transport(), QoS: 1, ConnectTimeout: sim.Duration(time.Minute),
		CoAP: sim.CoAP{AckTimeout: sim.Duration(400 * time.Millisecond), RandomFactor: 1}}
	if scheme.Transport().Secured() {
		b.Security.Credential = sim.CredentialCertificate
	}
	l, err := link.New(&b, authority)
	if err == nil {
		err = l.SetWeather(w)
	}
	if err != nil {
		t.Fatal(err)
	}
	switch scheme {
	case sim.SchemeCoAP:
		return &coap.Dialer{Binding: b, DialUDP: l.DialUDP}
	case sim.SchemeCoAPS:
		b.Security.CID = true
		roots, err := authority.Pool()
		if err != nil {
			t.Fatal(err)
		}
		return &coap.Dialer{Binding: b, DialUDP: l.DialUDP, Secure: &coap.DTLS{Roots: roots,
			Certificate: func(c *sim.Caller) (*tls.Certificate, error) { return authority.Device(c.Fleet, c.Ordinal, c.ID) }}}
	case sim.SchemeCoAPTCP, sim.SchemeCoAPSTCP:
		return &coap.StreamDialer{Binding: b, Outcome: link.Outcome,
			DialTCP: func(ctx context.Context, c *sim.Caller) (net.Conn, error) { return l.Dial(ctx, c) }}
	}
	return &mqtt.Dialer{Binding: b, DialConn: l.Dial}
}

func schemes() map[sim.Scheme]sim.Channel {
	return map[sim.Scheme]sim.Channel{
		sim.SchemeMQTT: sim.ChannelMQTT, sim.SchemeMQTTS: sim.ChannelMQTT, sim.SchemeWS: sim.ChannelMQTT, sim.SchemeWSS: sim.ChannelMQTT,
		sim.SchemeCoAP: sim.ChannelCoAP, sim.SchemeCoAPS: sim.ChannelCoAP, sim.SchemeCoAPTCP: sim.ChannelCoAP, sim.SchemeCoAPSTCP: sim.ChannelCoAP,
	}
}

// settle publishes one message and reports its acknowledgement, and how long that took.
func settle(t *testing.T, c sim.Conversation, seq uint32) (sim.Event, time.Duration) {
	t.Helper()
	begun := time.Now()
	if o := c.Publish(&sim.Message{Seq: seq, Topic: "up", Payload: make([]byte, 200), QoS: 1}); o != sim.OK {
		t.Errorf("message %d: %s", seq, o.Class())
	}
	e := *c.Wait(begun.Add(time.Minute))
	if e.Kind != sim.EventAcked || e.Seq != seq || e.Outcome != sim.OK {
		t.Errorf("message %d: %+v", seq, e)
	}
	return e, e.At.Sub(begun)
}

// Over every transport every message settles under 5 % loss and delay, those of a cut included, and none
// before the link can have carried it there and back. CoAP repeats what was lost.
func TestEveryTransportUnderWeather(t *testing.T) {
	at := servers(t)
	const devices, messages, delay, from, to = 8, 6, 20 * time.Millisecond, 700 * time.Millisecond, 1200 * time.Millisecond
	for scheme, channel := range schemes() {
		t.Run(string(scheme), func(t *testing.T) {
			t.Parallel()
			d := under(t, scheme, channel, sky(func(at sim.Instant) sim.Conditions {
				if at >= from && at < to {
					return sim.Conditions{Cut: true, Until: to}
				}
				return sim.Conditions{Delay: sim.Duration(delay), Loss: 0.05}
			}))
			begun, repeated := time.Now(), new(atomic.Int32)
			var wg sync.WaitGroup
			for i := range uint64(devices) {
				wg.Go(func() {
					dialled := time.Now()
					c, facts, o := d.Dial(t.Context(), &sim.Caller{ID: fmt.Sprint(scheme, i), Ordinal: sim.Ordinal(i),
						Key: sim.DeviceKey(seed, 0, sim.Ordinal(i)), Endpoint: at.Of(scheme, 0), T0: begun})
					if o != sim.OK {
						t.Errorf("device %d: %s", i, o.Class())
						return
					}
					defer c.Close(false)
					if took := facts.Established.Sub(dialled); took < 2*delay {
						t.Errorf("established after %v", took)
					}
					for seq := range uint32(messages) {
						e, took := settle(t, c, seq)
						if took < 2*delay {
							t.Errorf("message %d was acknowledged after %v", seq, took)
						}
						if e.Attempts > 1 {
							repeated.Add(1)
						}
						time.Sleep(100 * time.Millisecond) // so that the cut hits some
					}
				})
			}
			wg.Wait()
			if datagrams := scheme == sim.SchemeCoAP || scheme == sim.SchemeCoAPS; datagrams && repeated.Load() == 0 {
				t.Error("nothing was repeated")
			}
		})
	}
}

// With 100 ms of delay an acknowledgement takes 200, over each channel, and its own clock tells no other
// time: a wait that ends meanwhile ends when it should.
func TestAcknowledgementsUnderDelay(t *testing.T) {
	at := servers(t)
	const delay = 100 * time.Millisecond
	for scheme, channel := range schemes() {
		t.Run(string(scheme), func(t *testing.T) {
			t.Parallel()
			d := under(t, scheme, channel, always(sim.Conditions{Delay: sim.Duration(delay)}))
			c, _, o := d.Dial(t.Context(), &sim.Caller{ID: string(scheme), Ordinal: 1, Key: 1, Endpoint: at.Of(scheme, 0), T0: time.Now()})
			if o != sim.OK {
				t.Fatal(o.Class())
			}
			defer c.Close(false)
			late := make([]time.Duration, 0, 7)
			for seq := range uint32(cap(late)) {
				_, took := settle(t, c, seq)
				late = append(late, took-2*delay)
			}
			slices.Sort(late)
			t.Logf("late by %v", late)
			if late[0] < 0 || late[0] > delay/2 { // the quickest: the machine is shared
				t.Errorf("%v more than twice the delay", late[0])
			}
			if r, ok := c.(sim.Rebinder); ok { // another socket is under the same weather
				if o := r.Rebind(netip.AddrPort{}); o != sim.OK {
					t.Fatal(o.Class())
				}
				if _, took := settle(t, c, 100); took < 2*delay {
					t.Errorf("acknowledged after %v, once it had moved", took)
				}
			}
			begun := time.Now()
			if e := c.Wait(begun.Add(delay / 2)); e.Kind != sim.EventNone || time.Since(begun) < delay/2 {
				t.Errorf("%+v after %v", e, time.Since(begun))
			}
		})
	}
}

// A message that meets a cut is acknowledged when that ends: over TCP just then, over UDP when CoAP repeats
// it for the first time after.
func TestAcknowledgementsAfterACut(t *testing.T) {
	at := servers(t)
	const from, length = 3 * time.Second, time.Second
	for scheme, channel := range schemes() {
		t.Run(string(scheme), func(t *testing.T) {
			t.Parallel()
			begun := time.Now()
			d := under(t, scheme, channel, sky(func(at sim.Instant) sim.Conditions {
				switch {
				case at < from:
					return sim.Conditions{Until: from}
				case at < from+length:
					return sim.Conditions{Cut: true, Until: from + length}
				}
				return sim.Conditions{}
			}))
			c, _, o := d.Dial(t.Context(), &sim.Caller{ID: string(scheme), Ordinal: 1, Key: 1, Endpoint: at.Of(scheme, 0), T0: begun})
			if o != sim.OK {
				t.Fatal(o.Class())
			}
			defer c.Close(false)
			settle(t, c, 0)
			if late := time.Since(begun); late > from {
				t.Skipf("the machine is too busy: ready after %v", late)
			}
			c.Wait(begun.Add(from + 10*time.Millisecond))
			if late := time.Since(begun); late > from+length/2 {
				t.Skipf("the machine is too busy: woken after %v", late)
			}
			e, took := settle(t, c, 1)
			after := e.At.Sub(begun) - from - length
			t.Logf("acknowledged %v after the cut, in attempt %d, after %v", after, e.Attempts, took)
			if most := 2 * time.Second; after < 0 || after > most {
				t.Errorf("acknowledged %v after the cut", after)
			}
			if udp := scheme == sim.SchemeCoAP || scheme == sim.SchemeCoAPS; udp && e.Attempts != 3 { // at 0, 0.4 and 1.2 s
				t.Errorf("%d attempts", e.Attempts)
			}
		})
	}
}

// translator is weather on the way to a NAT.
type translator struct {
	sky
	nat    sim.NAT
	forgot atomic.Int32
}

// Through implements sim.Translated.
func (n *translator) Through() *sim.NAT { return &n.nat }

// Forgot implements sim.Translated.
func (n *translator) Forgot(sim.Ordinal, sim.Instant) { n.forgot.Add(1) }

// throughNAT returns a device that has reported once through a NAT which knows it. A machine that stands still for longer
// than the NAT remembers gets another try.
func throughNAT(t *testing.T, scheme sim.Scheme, channel sim.Channel, nat sim.NAT, at sim.Endpoints) (sim.Conversation, *translator) {
	t.Helper()
	for range 5 {
		w := &translator{sky: always(sim.Conditions{}), nat: nat}
		c, _, o := under(t, scheme, channel, w).Dial(t.Context(), &sim.Caller{ID: fmt.Sprint(scheme, nat.Resets), Ordinal: 1, Key: 1, Endpoint: at.Of(scheme, 0), T0: time.Now()})
		if o != sim.OK {
			t.Fatal(o.Class())
		}
		settle(t, c, 0)
		if w.forgot.Load() == 0 {
			return c, w
		}
		c.Close(true)
	}
	t.Fatal("five times the NAT forgot the device before it was silent")
	return nil, nil
}

// After a silence a NAT has forgotten the device: over TCP its connection is reset, where the NAT answers, and nothing
// is acknowledged any more where it does not; CoAP over UDP, and DTLS by its Connection ID, goes on from another port.
func TestEveryTransportBehindANAT(t *testing.T) {
	at := servers(t)
	const forgets = 2 * time.Second
	for scheme, channel := range schemes() {
		for _, resets := range []bool{true, false} {
			t.Run(fmt.Sprint(scheme, resets), func(t *testing.T) {
				t.Parallel()
				c, w := throughNAT(t, scheme, channel, sim.NAT{Forgets: sim.Duration(forgets), Resets: resets}, at)
				defer c.Close(false)
				time.Sleep(forgets + 100*time.Millisecond)
				if scheme == sim.SchemeCoAP || scheme == sim.SchemeCoAPS {
					settle(t, c, 1)
				} else {
					if o := c.Publish(&sim.Message{Seq: 1, Topic: "up", Payload: make([]byte, 200), QoS: 1}); o != sim.OK {
						t.Error(o.Class())
					}
					e := *c.Wait(time.Now().Add(2 * time.Second))
					if resets && (e.Kind != sim.EventDown || e.Outcome != sim.TCPReset) || !resets && e.Kind != sim.EventNone {
						t.Errorf("%+v", e)
					}
				}
				if n := w.forgot.Load(); n != 1 {
					t.Errorf("forgotten %d times", n)
				}
			})
		}
	}
}
