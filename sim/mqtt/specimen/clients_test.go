package specimen_test

import (
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/mqtt"
	"github.com/myriad-iot/myriad/sim/mqtt/specimen"
)

// client is one implementation of sim.Dialer in one version of MQTT.
type client struct {
	name    string
	version string
	dialer  func(b sim.Binding, dial specimen.DialConn) sim.Dialer

	// tellsPubrec: there is an EventReceived. paho does not show its user a PUBREC.
	tellsPubrec bool
	// keepsPubrel: after PUBREC and a lost connection, PUBREL is sent again. paho sends PUBLISH.
	keepsPubrel bool
}

func clients() []client {
	own := func(b sim.Binding, dial specimen.DialConn) sim.Dialer {
		return &mqtt.Dialer{Binding: b, DialConn: dial}
	}
	return []client{
		{"own 3.1.1", "3.1.1", own, true, true},
		{"own 5", "5", own, true, true},
		{"paho", "3.1.1", func(b sim.Binding, dial specimen.DialConn) sim.Dialer {
			return &specimen.Paho{Binding: b, DialConn: dial}
		}, false, false},
		{"paho.golang", "5", func(b sim.Binding, dial specimen.DialConn) sim.Dialer {
			return &specimen.PahoGolang{Binding: b, DialConn: dial}
		}, true, true},
	}
}

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

// next returns the next event of a conversation, which must come.
func next(t testing.TB, c sim.Conversation) sim.Event {
	t.Helper()
	e := *c.Wait(time.Now().Add(patience))
	if e.Kind == sim.EventNone {
		t.Fatal("no event")
	}
	return e
}

// want is next, and fails unless it is this kind and outcome.
func want(t testing.TB, c sim.Conversation, kind sim.EventKind, seq uint32, o sim.Outcome) sim.Event {
	t.Helper()
	e := next(t, c)
	if e.Kind != kind || e.Seq != seq || e.Outcome != o {
		t.Fatalf("event %d seq %d outcome %v, want %d, %d, %v", e.Kind, e.Seq, e.Outcome, kind, seq, o)
	}
	return e
}

// wantInbound returns the next inbound message.
func wantInbound(t testing.TB, c sim.Conversation, topic, payload string) sim.Inbound {
	t.Helper()
	e := next(t, c)
	if e.Kind != sim.EventInbound {
		t.Fatalf("event %+v, want an inbound message", e)
	}
	if string(e.Inbound.Topic) != topic || string(e.Inbound.Payload) != payload {
		t.Fatalf("inbound %q on %s, want %q on %s", brief(e.Inbound.Payload), e.Inbound.Topic, brief([]byte(payload)), topic)
	}
	return *e.Inbound
}

func brief(b []byte) string {
	if len(b) > 40 {
		b = b[:40]
	}
	return string(b)
}

func dial(t testing.TB, d sim.Dialer, caller *sim.Caller) (sim.Conversation, sim.Facts) {
	t.Helper()
	c, facts, outcome := d.Dial(t.Context(), caller)
	if outcome != sim.OK {
		t.Fatalf("dial: %v (reason %#x)", outcome, facts.Reason)
	}
	t.Cleanup(func() { c.Close(true) })
	return c, facts
}

func send(t testing.TB, c sim.Conversation, m *sim.Message) {
	t.Helper()
	if o := c.Publish(m); o != sim.OK {
		t.Fatalf("publish: %v", o)
	}
}
