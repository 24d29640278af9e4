package backend

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/identity"
	"github.com/myriad-iot/myriad/sim/link"
	"github.com/myriad-iot/myriad/sim/mqtt"
)

// call opens a conversation of device 3 over a scheme and publishes one message.
func call(t *testing.T, scheme sim.Scheme, endpoint string, s sim.Security, seed uint64) (sim.Facts, sim.Outcome) {
	t.Helper()
	b := sim.Binding{Channel: sim.ChannelMQTT, Transport: scheme.Transport(), Security: s, QoS: 1}
	l, err := link.New(&b, &identity.Authority{Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	d := &mqtt.Dialer{Binding: b, DialConn: l.Dial}
	c, facts, outcome := d.Dial(t.Context(), &sim.Caller{ID: "meters-3", Ordinal: 3, Endpoint: endpoint})
	if outcome != sim.OK {
		return facts, outcome
	}
	defer c.Close(false)
	if o := c.Publish(&sim.Message{Topic: "up", Payload: payload(stamp(3, 1)), QoS: 1}); o != sim.OK {
		return facts, o
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		switch e := c.Wait(deadline); e.Kind {
		case sim.EventAcked:
			return facts, sim.OK
		default:
			return facts, e.Outcome
		}
	}
}

// Every process serves every scheme, process k at entry k, and keeps all its addresses through a
// kill. Who shows no certificate, or another run's, is refused as such.
func TestTargetServesEverySchemeOfMQTT(t *testing.T) {
	schemes := []sim.Scheme{sim.SchemeMQTT, sim.SchemeMQTTS, sim.SchemeWS, sim.SchemeWSS}
	log := newLog()
	tg := &Target{Brokers: 2, Schemes: schemes, Identity: Identity{Seed: 5, Mutual: true}}
	tg.Journal(log, wall{time.Now()})
	at := target(t, tg)
	certificate := sim.Security{Credential: sim.CredentialCertificate}
	all := func() {
		t.Helper()
		for _, s := range schemes {
			if len(at[s]) != 2 {
				t.Fatalf("%s: %v", s, at)
			}
			for k, endpoint := range at[s] {
				security := sim.Security{}
				if s.Transport().Secured() {
					security = certificate
				}
				if _, o := call(t, s, endpoint, security, 5); o != sim.OK {
					t.Errorf("%s of process %d: %v", s, k, o.Class())
				}
			}
		}
	}
	all()
	eventually(t, "all are on record", func() bool { return log.count(stamp(3, 1)) == 2*len(schemes) })

	h, err := tg.Handle("broker")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(h.Down(t.Context(), true), h.Up(t.Context())); err != nil {
		t.Fatal(err)
	}
	if now := tg.endpoints(); !reflect.DeepEqual(now, at) {
		t.Errorf("%v, and before %v", now, at)
	}
	all()

	for _, s := range []sim.Scheme{sim.SchemeMQTTS, sim.SchemeWSS} {
		if _, o := call(t, s, at[s][0], sim.Security{}, 5); o != sim.TLSRefused {
			t.Errorf("%s without a certificate: %v", s, o.Class())
		}
		if _, o := call(t, s, at[s][0], certificate, 6); o != sim.TLSBadPeer {
			t.Errorf("%s by a device of another run: %v", s, o.Class())
		}
	}
	if _, o := call(t, sim.SchemeWS, at[sim.SchemeMQTT][0], sim.Security{}, 5); o != sim.TCPClosed && o != sim.TCPReset {
		t.Errorf("WebSocket with MQTT: %v", o.Class())
	}
	if _, o := call(t, sim.SchemeMQTTS, at[sim.SchemeWS][0], certificate, 5); o != sim.TCPClosed && o != sim.TCPReset {
		t.Errorf("TLS with HTTP: %v", o.Class())
	}
}

func TestTargetRefusesForeignSchemes(t *testing.T) {
	tg := &Target{Command: childCommand(), Brokers: 1, Schemes: []sim.Scheme{"http"}}
	if _, err := tg.Start(context.Background()); err == nil {
		t.Error("no error")
	}
}
