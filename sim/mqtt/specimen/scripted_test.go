package specimen_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

// Each behaviour is a script of the broker and what the device sees, in virtual time; a goroutine that
// a client leaves behind fails the test.
func TestScripted(t *testing.T) {
	behaviours := []struct {
		name string
		run  func(t *testing.T, c client)
	}{
		{"bad credentials", scriptBadCredentials},
		{"server busy", scriptBusy},
		{"no connack", scriptNoConnack},
		{"not MQTT", scriptNotMQTT},
		{"keep-alive answered", scriptKeepAlive},
		{"keep-alive missed", scriptKeepAliveMissed},
		{"server goes", scriptGone},
		{"server disconnects", scriptDisconnected},
		{"window", scriptWindow},
		{"publish refused", scriptRefused},
		{"resend", scriptResend},
		{"resend after PUBREC", scriptReleased},
		{"interrupt and deadline", scriptInterrupt},
		{"orderly close", scriptOrderly},
		{"abrupt close", scriptAbrupt},
		{"subscription refused", scriptNotSubscribed},
	}
	for _, c := range clients() {
		for _, b := range behaviours {
			t.Run(c.name+"/"+b.name, func(t *testing.T) {
				bubble.Test(t, func(t *testing.T) { b.run(t, c) })
			})
		}
	}
}

// open dials into a script. It closes the conversation and waits for the script in the end.
func open(t *testing.T, c client, b sim.Binding, run func(s *script)) sim.Conversation {
	t.Helper()
	b.Version = c.version
	dial, ended := scripted(t, c.version, run)
	talk, facts, outcome := c.dialer(b, dial).Dial(t.Context(), &sim.Caller{ID: "dev-1"})
	if outcome != sim.OK {
		t.Fatalf("dial: %v", outcome)
	}
	if facts.Interrupter == nil || facts.Established.IsZero() || facts.Opened.IsZero() {
		t.Errorf("facts %+v", facts)
	}
	t.Cleanup(func() {
		talk.Close(true)
		<-ended
	})
	return talk
}

// refuse dials into a script that does not let it in.
func refuse(t *testing.T, c client, want sim.Outcome, reason byte, run func(s *script)) {
	t.Helper()
	dial, ended := scripted(t, c.version, run)
	b := sim.Binding{Version: c.version, ConnectTimeout: sim.Duration(3 * time.Second)}
	began := time.Now()
	talk, facts, outcome := c.dialer(b, dial).Dial(t.Context(), &sim.Caller{ID: "dev-1"})
	if outcome != want || facts.Reason != reason || talk != nil {
		t.Errorf("outcome %v, reason %#x, want %v, %#x", outcome, facts.Reason, want, reason)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
	<-ended
}

func scriptBadCredentials(t *testing.T, c client) {
	code := map[string]byte{"3.1.1": 4, "5": 0x86}[c.version]
	refuse(t, c, sim.MQTTBadCredentials, code, func(s *script) { s.connack(0, code) })
}

func scriptBusy(t *testing.T, c client) {
	code := map[string]byte{"3.1.1": 3, "5": 0x89}[c.version]
	refuse(t, c, sim.MQTTServerBusy, code, func(s *script) { s.connack(0, code) })
}

func scriptNoConnack(t *testing.T, c client) {
	refuse(t, c, sim.MQTTConnackTimeout, 0, func(s *script) { s.expect(1); s.drain() })
}

func scriptNotMQTT(t *testing.T, c client) {
	refuse(t, c, sim.MQTTMalformed, 0, func(s *script) { s.expect(1); s.write(0xD0, 0); s.drain() })
}

func scriptKeepAlive(t *testing.T, c client) {
	pings := 0
	talk := open(t, c, sim.Binding{KeepAlive: sim.Duration(10 * time.Second)}, func(s *script) {
		s.connack(0, 0)
		for p := s.read(); p.kind() == typePingreq; p = s.read() {
			pings++
			s.write(0xD0, 0)
		}
	})
	if e := talk.Wait(time.Now().Add(time.Minute)); e.Kind != sim.EventNone {
		t.Errorf("event %+v", e)
	}
	talk.Close(true)
	synctest.Wait()
	if pings < 4 || pings > 12 {
		t.Errorf("%d PINGREQs in a minute of keep-alive 10s", pings)
	}
}

func scriptKeepAliveMissed(t *testing.T, c client) {
	talk := open(t, c, sim.Binding{KeepAlive: sim.Duration(10 * time.Second)}, func(s *script) {
		s.connack(0, 0)
		for s.read().kind() != 0 {
		}
	})
	began := time.Now()
	want(t, &patient{talk}, sim.EventDown, 0, sim.MQTTKeepAliveTimeout)
	if took := time.Since(began); took < 10*time.Second || took > 25*time.Second {
		t.Errorf("noticed after %v", took)
	}
	want(t, talk, sim.EventDown, 0, sim.MQTTKeepAliveTimeout) // and again
}

// patient waits a minute longer than asked.
type patient struct{ sim.Conversation }

func (p *patient) Wait(deadline time.Time) *sim.Event {
	return p.Conversation.Wait(deadline.Add(time.Minute))
}

func scriptGone(t *testing.T, c client) {
	talk := open(t, c, sim.Binding{}, func(s *script) { s.connack(0, 0) })
	want(t, talk, sim.EventDown, 0, sim.TCPClosed)
	if o := talk.Publish(&sim.Message{Topic: "t", QoS: 1}); o == sim.OK {
		t.Error("published on a connection that is down")
	}
	want(t, talk, sim.EventDown, 0, sim.TCPClosed)
}

func scriptDisconnected(t *testing.T, c client) {
	if c.version != "5" {
		return // a server of 3.1.1 has no DISCONNECT to send
	}
	for reason, outcome := range map[byte]sim.Outcome{0x8B: sim.MQTTDisconnected, 0x8E: sim.MQTTTakenOver, 0x89: sim.MQTTServerBusy} {
		talk := open(t, c, sim.Binding{}, func(s *script) {
			s.connack(0, 0)
			s.write(0xE0, 2, reason, 0)
		})
		want(t, talk, sim.EventDown, 0, outcome)
	}
}

func scriptWindow(t *testing.T, c client) {
	const window = 3
	answer := make(chan bool)
	talk := open(t, c, sim.Binding{Inflight: window}, func(s *script) {
		s.connack(0, 0)
		var ids []uint16
		for range window {
			ids = append(ids, s.expect(typePublish).id())
		}
		<-answer
		for _, id := range ids {
			s.answer(0x40, id)
		}
		s.drain()
	})
	room := talk.(sim.Windowed)
	for seq := range uint32(window) {
		if n := room.Room(); n != window-int(seq) {
			t.Errorf("room %d before message %d", n, seq)
		}
		send(t, talk, &sim.Message{Seq: seq, Topic: "t", Payload: []byte("x"), QoS: 1})
	}
	if n, o := room.Room(), talk.Publish(&sim.Message{Seq: 9, Topic: "t", QoS: 1}); n != 0 || o != sim.LocalOther {
		t.Errorf("room %d, one more: %v", n, o)
	}
	answer <- true
	for seq := range uint32(window) {
		want(t, talk, sim.EventAcked, seq, sim.OK)
	}
	if n := room.Room(); n != window {
		t.Errorf("room %d in the end", n)
	}
}

func scriptRefused(t *testing.T, c client) {
	if c.version != "5" {
		return // a PUBACK of 3.1.1 cannot refuse
	}
	talk := open(t, c, sim.Binding{}, func(s *script) {
		s.connack(0, 0)
		for _, reason := range []byte{0x97, 0x87, 0x80, 0x10} {
			id := s.expect(typePublish).id()
			s.write(0x40, 4, byte(id>>8), byte(id), reason, 0)
		}
		s.drain()
	})
	for seq, outcome := range []sim.Outcome{sim.MQTTQuotaExceeded, sim.MQTTNotAuthorized, sim.MQTTPubackError, sim.OK} {
		kind := sim.EventFailed
		if outcome == sim.OK {
			kind = sim.EventAcked
		}
		send(t, talk, &sim.Message{Seq: uint32(seq), Topic: "t", QoS: 1})
		want(t, talk, kind, uint32(seq), outcome)
	}
}

// redial is a device that loses its connection and comes back to its session.
func redial(t *testing.T, c client, qos byte, first, second func(s *script)) (sim.Conversation, *sim.Message, *sim.Message) {
	t.Helper()
	dial, ended := scripted(t, c.version, first, second)
	d := c.dialer(sim.Binding{Version: c.version, Session: sim.Duration(time.Hour)}, dial)
	talk, _, outcome := d.Dial(t.Context(), &sim.Caller{ID: "dev-1"})
	if outcome != sim.OK {
		t.Fatal(outcome)
	}
	t.Cleanup(func() { talk.Close(true) })
	m := &sim.Message{Seq: 7, Topic: "t", Payload: []byte("x"), QoS: qos}
	send(t, talk, m)
	for e := next(t, talk); e.Kind != sim.EventDown; e = next(t, talk) {
		if e.Kind != sim.EventReceived || e.Seq != 7 {
			t.Fatalf("event %+v", e)
		}
		m.Released = true
	}
	talk.Close(false)
	<-ended
	back, facts, outcome := d.Dial(t.Context(), &sim.Caller{ID: "dev-1", Attempt: 1})
	if outcome != sim.OK || !facts.SessionPresent {
		t.Fatalf("%v, %+v", outcome, facts)
	}
	t.Cleanup(func() {
		back.Close(true)
		<-ended
	})
	again := *m
	again.Resend = true
	return back, m, &again
}

func scriptResend(t *testing.T, c client) {
	var first, second packet
	talk, m, again := redial(t, c, 1, func(s *script) {
		s.connack(0, 0)
		first = s.expect(typePublish)
	}, func(s *script) {
		s.connack(1, 0)
		second = s.expect(typePublish)
		s.answer(0x40, second.id())
		s.drain()
	})
	send(t, talk, again)
	want(t, talk, sim.EventAcked, 7, sim.OK)
	if m.ID == 0 || first.id() != m.ID || first.dup() || second.id() != m.ID || !second.dup() {
		t.Errorf("identifier %d: sent %+v, then %+v", m.ID, first, second)
	}
	if e := talk.Wait(time.Now().Add(time.Second)); e.Kind != sim.EventNone {
		t.Errorf("event %+v", e)
	}
}

func scriptReleased(t *testing.T, c client) {
	var second packet
	talk, _, again := redial(t, c, 2, func(s *script) {
		s.connack(0, 0)
		s.answer(0x50, s.expect(typePublish).id())
		s.expect(typePubrel)
	}, func(s *script) {
		s.connack(1, 0)
		second = s.next()
		if second.kind() == typePublish {
			s.answer(0x50, second.id())
			s.expect(typePubrel)
		}
		s.answer(0x70, second.id())
		s.drain()
	})
	send(t, talk, again)
	e := next(t, talk)
	if e.Kind == sim.EventReceived { // for the second time, from a client that keeps no PUBREL
		e = next(t, talk)
	}
	if e.Kind != sim.EventAcked || e.Seq != 7 {
		t.Errorf("event %+v", e)
	}
	if again.Released != c.tellsPubrec {
		t.Errorf("an EventReceived: %v", again.Released)
	}
	if keeps := second.kind() == typePubrel; keeps != c.keepsPubrel {
		t.Errorf("the first packet on the resumed session is of type %d", second.kind())
	}
}

func scriptInterrupt(t *testing.T, c client) {
	talk := open(t, c, sim.Binding{}, func(s *script) { s.connack(0, 0); s.drain() })
	interrupt := talk.(sim.Interrupter).Interrupt
	began := time.Now()
	time.AfterFunc(2*time.Second, interrupt)
	if e := talk.Wait(began.Add(30 * time.Second)); e.Kind != sim.EventNone || time.Since(began) != 2*time.Second {
		t.Errorf("event %+v after %v, want an interrupted wait of 2s", e, time.Since(began))
	}
	interrupt()
	if e := talk.Wait(began.Add(30 * time.Second)); e.Kind != sim.EventNone || time.Since(began) != 2*time.Second {
		t.Errorf("event %+v after %v: an interrupt before Wait was lost", e, time.Since(began))
	}
	if e := talk.Wait(began.Add(5 * time.Second)); e.Kind != sim.EventNone || time.Since(began) != 5*time.Second {
		t.Errorf("event %+v after %v, want the deadline of 5s", e, time.Since(began))
	}
	if e := talk.Wait(began); e.Kind != sim.EventNone || time.Since(began) != 5*time.Second {
		t.Errorf("event %+v after %v, want a deadline that passed", e, time.Since(began))
	}
}

func scriptOrderly(t *testing.T, c client) { scriptClose(t, c, false) }
func scriptAbrupt(t *testing.T, c client)  { scriptClose(t, c, true) }

func scriptClose(t *testing.T, c client, abrupt bool) {
	var goodbye bool
	talk := open(t, c, sim.Binding{}, func(s *script) { s.connack(0, 0); goodbye = s.drain() })
	talk.Close(abrupt)
	talk.Close(!abrupt)
	synctest.Wait()
	if goodbye == abrupt {
		t.Errorf("abrupt %v, DISCONNECT %v", abrupt, goodbye)
	}
	talk.(sim.Interrupter).Interrupt()
	want(t, talk, sim.EventDown, 0, sim.TCPClosed)
	if o := talk.Publish(&sim.Message{Topic: "t"}); o == sim.OK {
		t.Error("published after Close")
	}
}

func scriptNotSubscribed(t *testing.T, c client) {
	dial, ended := scripted(t, c.version, func(s *script) {
		s.connack(0, 0)
		id := s.expect(typeSubscribe).id()
		if s.v5 {
			s.write(0x90, 4, byte(id>>8), byte(id), 0, 0x80)
		} else {
			s.write(0x90, 3, byte(id>>8), byte(id), 0x80)
		}
		s.drain()
	})
	b := sim.Binding{Version: c.version, MQTT: sim.MQTT{Subscribe: []sim.Subscription{{Filter: "a/#", QoS: 1}}}}
	talk, _, outcome := c.dialer(b, dial).Dial(t.Context(), &sim.Caller{ID: "dev-1"})
	if talk != nil || outcome != sim.MQTTNotSubscribed {
		t.Errorf("outcome %v", outcome)
	}
	<-ended
}
