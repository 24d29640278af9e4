package backend

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/coap"
	"github.com/myriad-iot/myriad/sim/identity"
	"github.com/myriad-iot/myriad/sim/link"
)

// speaker dials as a device that observes and takes commands, over one of the server's transports.
func speaker(t *testing.T, scheme sim.Scheme, at sim.Endpoints, ordinal int, p sim.CoAP) (c sim.Conversation, next func() *sim.Event) {
	t.Helper()
	authority := &identity.Authority{Seed: 5}
	roots, err := authority.Pool()
	if err != nil {
		t.Fatal(err)
	}
	b := sim.Binding{Channel: sim.ChannelCoAP, Transport: scheme.Transport(), CoAP: p}
	var d sim.Dialer = &coap.Dialer{Binding: b, ContentFormat: 50}
	switch scheme {
	case sim.SchemeCoAPS:
		b.Security = sim.Security{Credential: sim.CredentialPSK, CID: true}
		d = &coap.Dialer{Binding: b, ContentFormat: 50, Secure: &coap.DTLS{Roots: roots,
			PSK: func(c *sim.Caller) ([]byte, []byte) { return authority.PSK(c.Fleet, c.Ordinal, c.ID) }}}
	case sim.SchemeCoAPTCP, sim.SchemeCoAPSTCP:
		l, err := link.New(&b, authority)
		if err != nil {
			t.Fatal(err)
		}
		d = &coap.StreamDialer{Binding: b, ContentFormat: 50, Outcome: link.Outcome,
			DialTCP: func(ctx context.Context, c *sim.Caller) (net.Conn, error) { return l.Dial(ctx, c) }}
	}
	c, _, o := d.Dial(t.Context(), &sim.Caller{ID: fmt.Sprintf("f-%d", ordinal), Ordinal: sim.Ordinal(ordinal),
		Key: uint64(ordinal) + 100, Endpoint: at.Of(scheme, 0)})
	if o != sim.OK {
		t.Fatalf("%s: %v", scheme, o)
	}
	t.Cleanup(func() { c.Close(true) })
	next = func() *sim.Event { return c.Wait(time.Now().Add(30 * time.Second)) }
	idle(t, c, max(p.NStart, 1)) // until it is registered for all
	return c, next
}

// idle waits until c has room for n messages, of which no event tells unless there was none.
func idle(t *testing.T, c sim.Conversation, n int) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); c.(sim.Windowed).Room() < n; {
		ev := c.Wait(time.Now().Add(10 * time.Millisecond))
		if ev.Kind != sim.EventNone || time.Now().After(deadline) {
			t.Fatalf("room %d, want %d; event = %+v", c.(sim.Windowed).Room(), n, ev)
		}
	}
}

// What one puts reaches all who observe it, over whatever both speak: small, in blocks or in BERT, also
// where a device moved; commands are answered.
func TestCoAPServerNotifiesOverEveryTransport(t *testing.T) {
	schemes := []sim.Scheme{sim.SchemeCoAP, sim.SchemeCoAPS, sim.SchemeCoAPTCP, sim.SchemeCoAPSTCP}
	tg := &Target{CoAP: true, Identity: Identity{Seed: 5}, Schemes: schemes[1:]}
	at := target(t, tg)
	type party struct {
		scheme sim.Scheme
		c      sim.Conversation
		next   func() *sim.Event
	}
	var all []party
	for i, scheme := range schemes {
		p := sim.CoAP{Observe: []string{"do/{id}", "hall"}, Method: "PUT", NStart: 2}
		c, next := speaker(t, scheme, at, i, p)
		all = append(all, party{scheme, c, next})
	}
	hear := func(p party, topic string, want []byte) {
		t.Helper()
		deadline := time.Now().Add(30 * time.Second)
		for {
			ev := p.c.Wait(deadline)
			if ev.Kind == sim.EventAcked || ev.Kind == sim.EventNone && time.Now().Before(deadline) {
				continue
			}
			if ev.Kind != sim.EventInbound || string(ev.Inbound.Topic) != topic || !bytes.Equal(ev.Inbound.Payload, want) {
				t.Fatalf("%s: %+v, want %d bytes on %s", p.scheme, ev, len(want), topic)
			}
			return
		}
	}
	for i, from := range all {
		for k, size := range []int{20, 1025, 9000, 40000} {
			body := bytes.Repeat([]byte{byte('a' + 4*i + k)}, size)
			idle(t, from.c, 1)
			if o := from.c.Publish(&sim.Message{Topic: "hall", Payload: body, QoS: 1}); o != sim.OK {
				t.Fatalf("%s: %v", from.scheme, o)
			}
			hear(from, "hall", body) // first, for that is what makes the transfer go on
			for j, p := range all {
				if j != i {
					hear(p, "hall", body)
				}
			}
		}
		if r, ok := from.c.(sim.Rebinder); ok {
			if o := r.Rebind(netip.AddrPort{}); o != sim.OK {
				t.Fatal(o)
			}
			idle(t, from.c, 2) // it was told what there is already
		}
		// A DTLS server learns where a device is now from what it says (RFC 9146 section 6).
		if o := from.c.Publish(&sim.Message{Topic: "alive", Payload: []byte("x"), QoS: 1}); o != sim.OK {
			t.Fatal(o)
		}
		for ev := from.next(); ev.Kind != sim.EventAcked; ev = from.next() {
			if ev.Kind != sim.EventNone {
				t.Fatalf("%s: %+v", from.scheme, ev)
			}
		}
		command := []byte(fmt.Sprintf("command %d", i))
		if o := all[0].c.Publish(&sim.Message{Topic: fmt.Sprintf("do/f-%d", i), Payload: command, QoS: 1}); o != sim.OK {
			t.Fatal(o)
		}
		hear(from, fmt.Sprintf("do/f-%d", i), command)
	}
}
