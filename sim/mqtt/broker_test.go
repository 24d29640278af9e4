package mqtt

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/peers"
)

// What a device publishes on a real broker is what paho reads there, and our subscriber too, in order, and every
// QoS 1 message is acknowledged, by both versions.
func TestRealBroker(t *testing.T) {
	const messages = 500
	for i, version := range []string{"3.1.1", "5", "3.1.1", "5"} {
		t.Run(fmt.Sprintf("%s paho=%v", version, i < 2), func(t *testing.T) {
			endpoint := peers.Mochi(t)
			up, got := make(chan bool, 1), make(chan string, messages)
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			if i < 2 {
				peers.Paho(t, endpoint, "probe", "dev/+/up", 1, func(topic string, payload []byte, dup bool) {
					got <- fmt.Sprintf("%s %s %v", topic, payload, dup)
				})
			} else {
				sub := &Subscriber{Endpoint: endpoint, ClientID: "probe", Filters: []string{"dev/+/up"}, QoS: 1,
					OnUp: func(bool) { up <- true },
					OnMessage: func(topic, payload []byte, _ time.Time, dup, _ bool) {
						got <- fmt.Sprintf("%s %s %v", topic, payload, dup)
					}}
				wg.Go(func() {
					if err := sub.Run(ctx); err != nil {
						t.Error(err)
					}
				})
				<-up
			}
			d := &Dialer{Binding: sim.Binding{Version: version, Session: sim.Duration(time.Hour)}}
			for attempt := range 2 {
				c, facts, outcome := d.Dial(t.Context(), &sim.Caller{ID: "dev-1", Endpoint: endpoint})
				if outcome != sim.OK || facts.SessionPresent != (attempt == 1) {
					t.Fatalf("%v, %+v", outcome, facts)
				}
				first := messages * attempt
				converse(t, c, first, messages)
				// All of it before the next connection: mochi acknowledges a message before it passes it
				// on, so what two connections sent has no order.
				for seq := first; seq < first+messages; seq++ {
					if want, m := fmt.Sprintf("dev/1/up m%d false", seq), <-got; m != want {
						t.Fatalf("got %q, want %q", m, want)
					}
				}
				c.Close(false)
			}
			cancel()
			wg.Wait()
		})
	}
}

// converse publishes n messages, QoS 0 and 1 in turn, as fast as the window allows.
func converse(t *testing.T, c sim.Conversation, first, n int) {
	t.Helper()
	open := map[uint32]bool{}
	wait := func() {
		e := c.Wait(time.Now().Add(10 * time.Second))
		if e.Kind != sim.EventAcked || !open[e.Seq] {
			t.Fatalf("%+v", e)
		}
		delete(open, e.Seq)
	}
	for i := range n {
		seq := uint32(first + i)
		for c.(sim.Windowed).Room() == 0 {
			wait()
		}
		m := sim.Message{Seq: seq, Topic: "dev/1/up", Payload: fmt.Appendf(nil, "m%d", seq), QoS: byte(seq % 2)}
		if o := c.Publish(&m); o != sim.OK {
			t.Fatal(o)
		}
		if m.QoS == 1 {
			open[seq] = true
		}
	}
	for len(open) > 0 {
		wait()
	}
}

// A second connection with the same identity ends the first; version 5 says why.
func TestTakenOver(t *testing.T) {
	for version, want := range map[string]sim.Outcome{"3.1.1": sim.MQTTDisconnected, "5": sim.MQTTTakenOver} {
		d := &Dialer{Binding: sim.Binding{Version: version}}
		caller := &sim.Caller{ID: "dev-1", Endpoint: peers.Mochi(t)}
		first, _, outcome := d.Dial(t.Context(), caller)
		if outcome != sim.OK {
			t.Fatal(outcome)
		}
		second, _, outcome := d.Dial(t.Context(), caller)
		if outcome != sim.OK {
			t.Fatal(outcome)
		}
		wantEvent(t, first.Wait(time.Now().Add(10*time.Second)), sim.EventDown, 0, want)
		first.Close(false)
		second.Close(false)
	}
}
