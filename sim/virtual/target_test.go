package virtual

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
	"github.com/myriad-iot/myriad/sim/mqtt"
)

// A session lives for as long as it was asked to, in virtual time, and no longer than its broker.
func TestSessions(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		target := &Target{MQTT: true}
		at, err := target.Start(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		broker, err := target.Handle("broker")
		if err != nil {
			t.Fatal(err)
		}
		d := &mqtt.Dialer{DialConn: target.Dial, Binding: sim.Binding{Version: "5", Session: sim.Duration(time.Hour)}}
		attempt := 0
		resumes := func(want bool, when string) {
			t.Helper()
			c, facts, outcome := d.Dial(t.Context(), &sim.Caller{ID: "one", Endpoint: at.Of(sim.SchemeMQTT, 0), Attempt: attempt})
			if outcome != sim.OK {
				t.Fatalf("%s: %v", when, outcome)
			}
			if facts.SessionPresent != want {
				t.Errorf("%s: a session is present: %v", when, facts.SessionPresent)
			}
			attempt++
			c.Close(true)
		}
		resumes(false, "at first")
		time.Sleep(59 * time.Minute)
		resumes(true, "before it expires")
		time.Sleep(61 * time.Minute)
		resumes(false, "after it has expired")
		if err := broker.Down(t.Context(), true); err != nil {
			t.Error(err)
		}
		if _, _, outcome := d.Dial(t.Context(), &sim.Caller{ID: "one", Endpoint: at.Of(sim.SchemeMQTT, 0)}); outcome != sim.TCPRefused {
			t.Errorf("while it is down: %v", outcome)
		}
		if err := broker.Freeze(t.Context(), true); err == nil || !strings.Contains(err.Error(), "it is down") {
			t.Errorf("frozen while it is down: %v", err)
		}
		if err := broker.Up(t.Context()); err != nil {
			t.Error(err)
		}
		resumes(false, "after its broker was killed")
		if err := target.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

func TestNamesOfTheNetwork(t *testing.T) {
	for _, tt := range []struct {
		target   *Target
		at, not  string
		services string
	}{
		{&Target{MQTT: true}, "broker.virtual:1883", "192.0.2.1:5683", "broker"},
		{&Target{CoAP: true}, "192.0.2.1:5683", "broker.virtual:1883", "coap"},
		{&Target{MQTT: true, CoAP: true}, "192.0.2.1:5683", "elsewhere:1883", "broker and coap"},
	} {
		if _, err := tt.target.Connect(tt.not, 0); err == nil || !strings.Contains(err.Error(), "no such host") {
			t.Error(tt.services, err)
		}
		if _, err := tt.target.Connect(tt.at, 0); err != nil && !errors.Is(err, syscall.ECONNREFUSED) { // nothing runs yet
			t.Error(tt.services, err)
		}
		if _, err := tt.target.Handle("nothing"); err == nil || !strings.HasSuffix(err.Error(), "the target has "+tt.services) {
			t.Error(err)
		}
		for name := range strings.SplitSeq(tt.services, " and ") {
			if _, err := tt.target.Handle(name); err != nil {
				t.Error(err)
			}
			if tt.target.Describe()[name] == "" {
				t.Error(tt.services, tt.target.Describe())
			}
		}
	}
}
