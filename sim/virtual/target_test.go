package virtual

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
	"github.com/myriad-iot/myriad/sim/mqtt"
)

// A session lives for as long as it was asked to, in virtual time, and no longer than its broker.
func TestSessions(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		target := new(Target)
		at, err := target.Start(t.Context())
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
		if err := target.Down(t.Context(), true); err != nil {
			t.Error(err)
		}
		if _, _, outcome := d.Dial(t.Context(), &sim.Caller{ID: "one", Endpoint: at.Of(sim.SchemeMQTT, 0)}); outcome != sim.TCPRefused {
			t.Errorf("while it is down: %v", outcome)
		}
		if err := target.Freeze(t.Context(), true); err == nil || !strings.Contains(err.Error(), "it is down") {
			t.Errorf("frozen while it is down: %v", err)
		}
		if err := target.Up(t.Context()); err != nil {
			t.Error(err)
		}
		resumes(false, "after its broker was killed")
		if err := target.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

func TestNamesOfTheNetwork(t *testing.T) {
	target := new(Target)
	if _, err := target.Connect("elsewhere:1883", 0); err == nil || !strings.Contains(err.Error(), "no such host") {
		t.Error(err)
	}
	if _, err := target.Handle("coap"); err == nil {
		t.Error("it has a coap service")
	}
	if h, err := target.Handle("broker"); err != nil || h != sim.Handle(target) {
		t.Error(h, err)
	}
}
