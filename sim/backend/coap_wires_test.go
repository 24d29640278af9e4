package backend

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/coap"
	"github.com/myriad-iot/myriad/sim/identity"
	"github.com/myriad-iot/myriad/sim/link"
)

// wires are dialers of devices over each of the CoAP server's transports.
func wires(t testing.TB, seed uint64) map[sim.Scheme][]sim.Dialer {
	t.Helper()
	authority := &identity.Authority{Seed: seed}
	roots, err := authority.Pool()
	if err != nil {
		t.Fatal(err)
	}
	certificate := func(c *sim.Caller) (*tls.Certificate, error) { return authority.Device(c.Fleet, c.Ordinal, c.ID) }
	psk := func(c *sim.Caller) ([]byte, []byte) { return authority.PSK(c.Fleet, c.Ordinal, c.ID) }
	secure := func(s sim.Security) sim.Dialer {
		return &coap.Dialer{Binding: sim.Binding{Security: s}, Secure: &coap.DTLS{PSK: psk, Certificate: certificate, Roots: roots}}
	}
	b := sim.Binding{Channel: sim.ChannelCoAP, Transport: sim.TransportTLS, Security: sim.Security{Credential: sim.CredentialCertificate}}
	l, err := link.New(&b, authority)
	if err != nil {
		t.Fatal(err)
	}
	return map[sim.Scheme][]sim.Dialer{
		sim.SchemeCoAP: {new(coap.Dialer)},
		sim.SchemeCoAPS: {
			secure(sim.Security{Credential: sim.CredentialPSK, CID: true}),
			secure(sim.Security{Credential: sim.CredentialCertificate, CID: true}),
			secure(sim.Security{}),
		},
		sim.SchemeCoAPTCP: {new(coap.StreamDialer)},
		sim.SchemeCoAPSTCP: {&coap.StreamDialer{Binding: b, Outcome: link.Outcome,
			DialTCP: func(ctx context.Context, c *sim.Caller) (net.Conn, error) { return l.Dial(ctx, c) }}},
	}
}

// Every transport leads to the same server: what is answered is on record once, before and after a
// restart at the same addresses, and a device that moved goes on where it has a Connection ID.
func TestCoAPServerOverEveryTransport(t *testing.T) {
	log, clock := newLog(), wall{time.Now()}
	tg := &Target{CoAP: true, Identity: Identity{Seed: 5},
		Schemes: []sim.Scheme{sim.SchemeCoAPS, sim.SchemeCoAPTCP, sim.SchemeCoAPSTCP}}
	tg.Journal(log, clock)
	at := target(t, tg)
	h, err := tg.Handle("coap")
	if err != nil {
		t.Fatal(err)
	}
	device := 0
	round := func() {
		for scheme, dialers := range wires(t, 5) {
			for i, d := range dialers {
				c, facts, o := d.Dial(t.Context(), &sim.Caller{ID: "m-1", Ordinal: 1, Key: uint64(device), Endpoint: at.Of(scheme, 0)})
				if o != sim.OK {
					t.Fatalf("%s %d: %v", scheme, i, o)
				}
				if secured := !facts.Secured.IsZero(); secured != scheme.Transport().Secured() {
					t.Errorf("%s %d: secured is %v", scheme, i, secured)
				}
				for seq := range uint32(4) {
					m := sim.Message{Seq: seq, Topic: "t", QoS: 1, Payload: payload(stamp(device, int(seq)))}
					if o := c.Publish(&m); o != sim.OK {
						t.Fatalf("%s %d: %v", scheme, i, o)
					}
					if ev := c.Wait(time.Now().Add(30 * time.Second)); ev.Kind != sim.EventAcked {
						t.Fatalf("%s %d: %+v", scheme, i, ev)
					}
					r, ok := c.(sim.Rebinder)
					if ok && i < 2 {
						if o := r.Rebind(netip.AddrPort{}); o != sim.OK {
							t.Errorf("%s %d: rebind: %v", scheme, i, o)
						}
					}
				}
				c.Close(false)
				device++
			}
		}
	}
	round()
	if err := h.Down(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if err := h.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	round()
	if err := h.Down(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	for d := range device {
		for seq := range 4 {
			if n := log.count(stamp(d, seq)); n != 1 {
				t.Errorf("message %d of device %d is on record %d times", seq, d, n)
			}
		}
	}
	if device != 12 {
		t.Errorf("%d devices", device)
	}
}
