package virtual

import (
	"slices"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
	"github.com/myriad-iot/myriad/sim/mqtt"
)

// A will with a delay comes when that is over, or the session if it ends before, and not at all when its client is back
// or has said goodbye (MQTT 5 section 3.1.3.2.2).
func TestLateWills(t *testing.T) {
	type caller func() sim.Conversation
	for _, c := range []struct {
		name    string
		session time.Duration
		live    func(call caller)
		want    []time.Duration // when wills come
	}{
		{"gone", time.Hour, func(call caller) { call().Close(true) }, []time.Duration{30 * time.Second}},
		{"the session ends first", 10 * time.Second, func(call caller) { call().Close(true) }, []time.Duration{10 * time.Second}},
		{"no session", 0, func(call caller) { call().Close(true) }, []time.Duration{0}},
		{"goodbye", time.Hour, func(call caller) { call().Close(false) }, nil},
		{"back in time", time.Hour, func(call caller) {
			call().Close(true)
			time.Sleep(29 * time.Second)
			call()
		}, nil},
		{"back before the old connection ended", time.Hour, func(call caller) {
			for range 5 {
				call()
				time.Sleep(time.Second)
			}
		}, nil},
		{"gone again", time.Hour, func(call caller) {
			call().Close(true)
			time.Sleep(20 * time.Second)
			c := call()
			time.Sleep(5 * time.Second)
			c.Close(true)
		}, []time.Duration{55 * time.Second}},
		{"gone twice", time.Hour, func(call caller) {
			call().Close(true)
			time.Sleep(40 * time.Second)
			call().Close(true)
		}, []time.Duration{30 * time.Second, 70 * time.Second}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				target := &Target{MQTT: true}
				at, err := target.Start(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				dial := func(id string, attempt int, b sim.Binding) sim.Conversation {
					t.Helper()
					d := &mqtt.Dialer{DialConn: target.Dial, Binding: b}
					conv, _, outcome := d.Dial(t.Context(), &sim.Caller{ID: id, Endpoint: at.Of(sim.SchemeMQTT, 0), Attempt: attempt})
					if outcome != sim.OK {
						t.Fatal(outcome)
					}
					return conv
				}
				heir := dial("heir", 0, sim.Binding{MQTT: sim.MQTT{Subscribe: []sim.Subscription{{Filter: "gone/#", QoS: 1}}}})
				for end := time.Now().Add(time.Second); time.Now().Before(end); { // it subscribes
					heir.Wait(end)
				}
				began, attempt := time.Now(), -1
				came := make(chan []time.Duration)
				go func() {
					var list []time.Duration
					for end := began.Add(3 * time.Minute); time.Now().Before(end); {
						if ev := heir.Wait(end); ev.Kind == sim.EventInbound && string(ev.Inbound.Payload) == "x" {
							list = append(list, time.Since(began))
						}
					}
					came <- list
				}()
				var open []sim.Conversation
				c.live(func() sim.Conversation {
					attempt++
					will := &sim.Will{Topic: "gone/one", Payload: "x", QoS: 1, Retain: true, Delay: sim.Duration(30 * time.Second)}
					conv := dial("one", attempt, sim.Binding{Version: "5", KeepAlive: sim.Duration(time.Hour), Session: sim.Duration(c.session), MQTT: sim.MQTT{Will: will}})
					open = append(open, conv)
					return conv
				})
				if got := <-came; !slices.Equal(got, c.want) {
					t.Errorf("wills came at %v, not at %v", got, c.want)
				}
				for _, conv := range open {
					conv.Close(true)
				}
				heir.Close(false)
				if err := target.Stop(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
