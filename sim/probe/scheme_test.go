package probe

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/backend"
	"github.com/myriad-iot/myriad/sim/identity"
	"github.com/myriad-iot/myriad/sim/link"
	"github.com/myriad-iot/myriad/sim/mqtt"
)

func TestListenScheme(t *testing.T) {
	for want, at := range map[sim.Scheme]sim.Endpoints{
		sim.SchemeMQTT:  {sim.SchemeWS: {"a"}, sim.SchemeMQTT: {"b"}, sim.SchemeMQTTS: {"c"}},
		sim.SchemeMQTTS: {sim.SchemeWSS: {"a"}, sim.SchemeMQTT: {}, sim.SchemeMQTTS: {"c"}, sim.SchemeCoAP: {"d"}},
		sim.SchemeWSS:   {sim.SchemeWSS: {"a"}},
	} {
		if got := ListenScheme(at); got != want {
			t.Errorf("%v: %q, want %q", at, got, want)
		}
	}
}

// A broker that nobody can reach without TLS, or without WebSocket, and a certificate of the run: the
// probe reaches it as the devices do, and so does the check of its health.
func TestProbeListensAsDevicesConnect(t *testing.T) {
	for _, scheme := range []sim.Scheme{sim.SchemeMQTTS, sim.SchemeWS, sim.SchemeWSS} {
		t.Run(string(scheme), func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			o := backend.Options{Identity: backend.Identity{Seed: 8, Mutual: true}}
			*map[sim.Scheme]*string{sim.SchemeMQTTS: &o.MQTTS, sim.SchemeWS: &o.WS, sim.SchemeWSS: &o.WSS}[scheme] = "127.0.0.1:0"
			ready, served := make(chan sim.Endpoints, 1), make(chan error, 1)
			go func() { served <- backend.Serve(ctx, o, nil, func(e sim.Endpoints) { ready <- e }) }()
			defer func() {
				cancel()
				if err := <-served; err != nil {
					t.Error(err)
				}
			}()
			at := <-ready
			binding := sim.Binding{
				Role: sim.RoleData, Channel: sim.ChannelMQTT, Transport: scheme.Transport(), QoS: 1,
				Security: sim.Security{Credential: sim.CredentialCertificate},
			}
			plan := &sim.Plan{Seed: 8, Fleets: []sim.Fleet{{
				Name: "meters", Count: 3, Bindings: []sim.Binding{binding}, Skills: []sim.Skill{{Name: sim.SkillReport, Topic: "up/{id}"}},
			}}}
			if err := Check(t.Context(), plan, at); err != nil {
				t.Errorf("check: %v", err)
			}
			if scheme.Transport().Secured() {
				other := *plan
				other.Seed = 9
				if err := Check(t.Context(), &other, at); err == nil || !strings.Contains(err.Error(), "not trusted") {
					t.Errorf("check with another authority: %v", err)
				}
			}

			c := clock{time.Now()}
			w := &witness{seen: map[sim.Stamp]int{}, at: map[sim.Stamp]sim.Instant{}, clock: c}
			p := &Probe{Plan: plan, RunID: 7, Endpoints: at, Witness: w, Clock: c}
			watching, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- p.Run(watching) }()
			defer func() {
				stop()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			}()
			<-p.Ready()
			l, err := link.New(&binding, &identity.Authority{Seed: 8})
			if err != nil {
				t.Fatal(err)
			}
			d := &mqtt.Dialer{Binding: binding, DialConn: l.Dial}
			conv, _, outcome := d.Dial(t.Context(), &sim.Caller{ID: "meters-2", Ordinal: 2, Endpoint: at.Of(scheme, 2)})
			if outcome != sim.OK {
				t.Fatal(outcome.Class())
			}
			defer conv.Close(false)
			s := sim.Stamp{Run: 7, Device: 2, Seq: 1}
			if o := conv.Publish(&sim.Message{Seq: 1, Topic: "up/meters-2", Payload: s.Append(nil), QoS: 1}); o != sim.OK {
				t.Fatal(o.Class())
			}
			for until := time.Now().Add(10 * time.Second); w.count(s) == 0; time.Sleep(2 * time.Millisecond) {
				if time.Now().After(until) {
					t.Fatal("the message was never seen")
				}
			}
		})
	}
}
