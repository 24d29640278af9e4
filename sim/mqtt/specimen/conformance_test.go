package specimen_test

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/peers"
)

// stage is a client at a broker.
type stage struct {
	client
	broker
	id string // unique: sessions and topics of two behaviours do not meet
}

func (s *stage) dialer(b sim.Binding) sim.Dialer {
	b.Version = s.version
	d := s.client.dialer(b, nil)
	if s.only311 {
		return jailed{d}
	}
	return d
}

// jailed dials nats-server, which holds one who takes a session over twice within a second for a second,
// and then hangs up. Whoever comes back at once may do so: to the broker the old connection lives on.
type jailed struct{ sim.Dialer }

func (j jailed) Dial(ctx context.Context, caller *sim.Caller) (sim.Conversation, sim.Facts, sim.Outcome) {
	began := time.Now()
	c, facts, o := j.Dialer.Dial(ctx, caller)
	if o == sim.TCPClosed && time.Since(began) > 900*time.Millisecond {
		return j.Dialer.Dial(ctx, caller)
	}
	return c, facts, o
}

func (s *stage) caller() *sim.Caller { return &sim.Caller{ID: s.id, Endpoint: s.open} }

// What a device may rely on, whoever its session machinery is from and whatever broker it calls.
func TestConformance(t *testing.T) {
	behaviours := []struct {
		name string
		run  func(t *testing.T, s *stage)
	}{
		{"nobody there", conformNobody},
		{"credentials", conformCredentials},
		{"session", conformSession},
		{"publish", conformPublish},
		{"retain", conformRetain},
		{"large", conformLarge},
		{"taken over", conformTakenOver},
		{"will", conformWill},
		{"inbound", conformInbound},
		{"commands", conformCommands},
		{"retained inbound", conformRetained},
		{"shared subscription", conformShared},
		{"session keeps inbound", conformKept},
		{"leaks", conformLeaks},
	}
	n := 0
	for _, b := range brokers(t) {
		for _, c := range clients() {
			for _, behaviour := range behaviours {
				if n++; b.only311 && (c.version != "3.1.1" || behaviour.name == "shared subscription") {
					continue
				}
				s := &stage{c, b, fmt.Sprintf("dev-%d", n)}
				t.Run(b.name+"/"+c.name+"/"+behaviour.name, func(t *testing.T) { behaviour.run(t, s) })
			}
		}
	}
}

func conformNobody(t *testing.T, s *stage) {
	caller := &sim.Caller{ID: s.id, Endpoint: net.JoinHostPort("127.0.0.1", strconv.Itoa(peers.Ports(t, 1)[0]))}
	if c, _, o := s.dialer(sim.Binding{}).Dial(t.Context(), caller); c != nil || o != sim.TCPRefused {
		t.Errorf("outcome %v", o)
	}
}

func conformCredentials(t *testing.T, s *stage) {
	for _, test := range []struct {
		security sim.Security
		taken    bool
	}{
		{sim.Security{}, false},
		{sim.Security{Username: username, Password: sim.NewSecret("wrong")}, false},
		{sim.Security{Username: username, Password: sim.NewSecret(password)}, true},
	} {
		caller := &sim.Caller{ID: s.id, Endpoint: s.guarded}
		c, facts, o := s.dialer(sim.Binding{Security: test.security}).Dial(t.Context(), caller)
		// Brokers say it in one way or the other.
		want := map[byte]sim.Outcome{4: sim.MQTTBadCredentials, 0x86: sim.MQTTBadCredentials, 5: sim.MQTTNotAuthorized, 0x87: sim.MQTTNotAuthorized}[facts.Reason]
		if o != want || (o == sim.OK) != test.taken {
			t.Errorf("%+v: outcome %v, reason %#x", test.security, o, facts.Reason)
		}
		if c != nil {
			c.Close(false)
		}
	}
}

func conformSession(t *testing.T, s *stage) {
	clean, kept := s.dialer(sim.Binding{}), s.dialer(sim.Binding{Session: sim.Duration(time.Hour)})
	for i, step := range []struct {
		d       sim.Dialer
		present bool
	}{{kept, false}, {kept, true}, {kept, true}, {clean, false}} {
		c, facts := dial(t, step.d, s.caller())
		if facts.SessionPresent != step.present {
			t.Errorf("call %d: session present %v", i, facts.SessionPresent)
		}
		c.Close(false)
	}
}

// publish sends n messages as fast as the window allows and waits until all are answered.
func (s *stage) publish(t *testing.T, c sim.Conversation, qos byte, n int) {
	t.Helper()
	open, received := map[uint32]bool{}, 0
	wait := func() {
		switch e := next(t, c); {
		case e.Kind == sim.EventReceived && open[e.Seq]:
			received++
		case e.Kind == sim.EventAcked && open[e.Seq]:
			delete(open, e.Seq)
		default:
			t.Fatalf("event %+v", e)
		}
	}
	for seq := range uint32(n) {
		for c.(sim.Windowed).Room() <= 0 {
			wait()
		}
		m := sim.Message{Seq: seq, Topic: s.id + "/up", Payload: fmt.Appendf(nil, "m%d", seq), QoS: qos}
		send(t, c, &m)
		if qos > 0 {
			open[seq] = true
			if m.ID == 0 {
				t.Errorf("message %d has no identifier", seq)
			}
		}
	}
	for len(open) > 0 {
		wait()
	}
	if want := n; qos == 2 && s.tellsPubrec && received != want {
		t.Errorf("%d PUBRECs, want %d", received, want)
	}
}

func conformPublish(t *testing.T, s *stage) {
	const messages = 200
	got := witness(t, s.open, s.id+"/up", 2)
	for qos := range byte(3) {
		c, _ := dial(t, s.dialer(sim.Binding{}), s.caller())
		s.publish(t, c, qos, messages)
		for seq := range messages {
			heard(t, got, fmt.Sprintf("%s/up m%d", s.id, seq))
		}
		c.Close(false)
	}
	if len(got) > 0 {
		t.Errorf("%d messages too many", len(got))
	}
}

func conformRetain(t *testing.T, s *stage) {
	c, _ := dial(t, s.dialer(sim.Binding{}), s.caller())
	send(t, c, &sim.Message{Topic: s.id + "/last", Payload: []byte("kept"), QoS: 1, Retain: true})
	want(t, c, sim.EventAcked, 0, sim.OK)
	heard(t, witness(t, s.open, s.id+"/last", 1), s.id+"/last kept")
}

func conformLarge(t *testing.T, s *stage) {
	out, in := strings.Repeat("o", 200_000), strings.Repeat("i", 60_000)
	got := witness(t, s.open, s.id+"/up", 1)
	c, _ := dial(t, s.dialer(sim.Binding{MQTT: sim.MQTT{Subscribe: []sim.Subscription{{Filter: s.id + "/down", QoS: 1}}}}), s.caller())
	send(t, c, &sim.Message{Seq: 1, Topic: s.id + "/up", Payload: []byte(out), QoS: 1})
	want(t, c, sim.EventAcked, 1, sim.OK)
	heard(t, got, s.id+"/up "+out)
	s.tell(t, s.id+"/down", in, 1, false)
	wantInbound(t, c, s.id+"/down", in)
}

// tell publishes from another client, our own, and waits for the answer.
func (s *stage) tell(t *testing.T, topic, payload string, qos byte, retain bool) {
	t.Helper()
	c, _ := dial(t, clients()[0].dialer(sim.Binding{}, nil), &sim.Caller{ID: "teller", Endpoint: s.open})
	defer c.Close(false)
	send(t, c, &sim.Message{Topic: topic, Payload: []byte(payload), QoS: qos, Retain: retain})
	if qos == 2 {
		want(t, c, sim.EventReceived, 0, sim.OK)
	}
	if qos > 0 {
		want(t, c, sim.EventAcked, 0, sim.OK)
	}
}

func conformTakenOver(t *testing.T, s *stage) {
	d := s.dialer(sim.Binding{})
	first, _ := dial(t, d, s.caller())
	second, _ := dial(t, d, s.caller())
	e := next(t, first)
	fits := e.Outcome == sim.MQTTTakenOver
	if s.version == "3.1.1" || s.broker.name == "mosquitto" {
		// 3.1.1 has no reason to give, though mochi sends a DISCONNECT; mosquitto 2.0.11 just hangs up.
		fits = fits || e.Outcome == sim.MQTTDisconnected || e.Outcome == sim.TCPClosed || e.Outcome == sim.TCPReset
	}
	if e.Kind != sim.EventDown || !fits {
		t.Errorf("event %+v: %v", e, e.Outcome)
	}
	first.Close(false)
	s.publish(t, second, 1, 1)
}

func conformWill(t *testing.T, s *stage) {
	got := witness(t, s.open, "wills/"+s.id, 1)
	for _, abrupt := range []bool{false, true} {
		b := sim.Binding{MQTT: sim.MQTT{Will: &sim.Will{Topic: "wills/" + s.id, Payload: fmt.Sprintf("abrupt %v", abrupt), QoS: 1}}}
		caller := s.caller()
		caller.ID = fmt.Sprintf("%s-%v", s.id, abrupt) // no take-over, should the broker be late to read DISCONNECT
		c, _ := dial(t, s.dialer(b), caller)
		c.Close(abrupt)
	}
	heard(t, got, "wills/"+s.id+" abrupt true")
}

func conformInbound(t *testing.T, s *stage) {
	c, _ := dial(t, s.dialer(sim.Binding{MQTT: sim.MQTT{Subscribe: []sim.Subscription{{Filter: "in/{id}/+", QoS: 2}}}}), s.caller())
	for i := range 12 {
		qos, topic, payload := byte(i%3), fmt.Sprintf("in/%s/%d", s.id, i), fmt.Sprintf("p%d", i)
		s.tell(t, topic, payload, qos, false)
		if in := wantInbound(t, c, topic, payload); in.QoS != qos || in.Retained || in.Again {
			t.Errorf("inbound %+v", in)
		}
	}
}

func conformCommands(t *testing.T, s *stage) {
	c, _ := dial(t, s.dialer(sim.Binding{MQTT: sim.MQTT{Subscribe: []sim.Subscription{{Filter: "cmd/{id}", QoS: 1}}}}), s.caller())
	s.tell(t, "cmd/"+s.id, "reboot", 1, false)
	if in := wantInbound(t, c, "cmd/"+s.id, "reboot"); in.QoS != 1 {
		t.Errorf("inbound %+v", in)
	}
	s.publish(t, c, 1, 3) // the conversation goes on
}

func conformRetained(t *testing.T, s *stage) {
	topic := "state/" + s.id
	got := witness(t, s.open, topic, 1) // so that the message has gone to its subscribers before the device is one
	s.tell(t, topic, "old", 1, true)
	heard(t, got, topic+" old")
	d := s.dialer(sim.Binding{MQTT: sim.MQTT{Subscribe: []sim.Subscription{{Filter: "state/{id}", QoS: 1}}}})
	c, _ := dial(t, d, s.caller())
	e := c.Wait(time.Now().Add(patience))
	// nats-server stores what is to be retained in its own time, after it has passed it on.
	for again := 0; e.Kind == sim.EventNone && s.only311 && again < 3; again++ {
		c.Close(false)
		c, _ = dial(t, d, s.caller())
		e = c.Wait(time.Now().Add(patience))
	}
	if e.Kind != sim.EventInbound || !e.Inbound.Retained || string(e.Inbound.Payload) != "old" {
		t.Fatalf("event %+v, want the retained message", e)
	}
	s.tell(t, topic, "new", 1, false)
	if in := wantInbound(t, c, topic, "new"); in.Retained {
		t.Errorf("inbound %+v", in)
	}
}

func conformShared(t *testing.T, s *stage) {
	const messages = 20
	d := s.dialer(sim.Binding{MQTT: sim.MQTT{Subscribe: []sim.Subscription{{Filter: "$share/group/jobs/" + s.id, QoS: 1}}}})
	var count [2]int
	var talks [2]sim.Conversation
	for i := range talks {
		talks[i], _ = dial(t, d, &sim.Caller{ID: fmt.Sprintf("%s-%d", s.id, i), Endpoint: s.open})
	}
	for i := range messages {
		s.tell(t, "jobs/"+s.id, fmt.Sprint(i), 1, false)
	}
	seen := map[string]bool{}
	for deadline := time.Now().Add(patience); len(seen) < messages && time.Now().Before(deadline); {
		for i, c := range talks {
			for e := c.Wait(time.Now().Add(10 * time.Millisecond)); e.Kind == sim.EventInbound; e = c.Wait(time.Now().Add(10 * time.Millisecond)) {
				seen[string(e.Inbound.Payload)] = true
				count[i]++
			}
		}
	}
	if len(seen) != messages || count[0]+count[1] != messages {
		t.Errorf("%d different messages, %v by device", len(seen), count)
	}
}

func conformKept(t *testing.T, s *stage) {
	b := sim.Binding{Session: sim.Duration(time.Hour), MQTT: sim.MQTT{Subscribe: []sim.Subscription{{Filter: "kept/{id}", QoS: 2}}}}
	d, topic := s.dialer(b), "kept/"+s.id
	between := startRelay(t, s.open)
	for attempt := range 3 {
		caller := s.caller()
		caller.Attempt, caller.Endpoint = attempt, between.endpoint
		c, facts := dial(t, d, caller)
		if facts.SessionPresent != (attempt > 0) {
			t.Errorf("session present %v at attempt %d", facts.SessionPresent, attempt)
		}
		if attempt > 0 {
			away := map[string]bool{} // mochi keeps no order of what came within a second
			for len(away) < 2 {
				e := *c.Wait(time.Now().Add(patience))
				if e.Kind != sim.EventInbound {
					t.Fatalf("attempt %d: %+v, after %v", attempt, e, away)
				}
				away[string(e.Inbound.Payload)] = true
			}
			if !away["away 1"] || !away["away 2"] {
				t.Fatalf("attempt %d: what came meanwhile: %v", attempt, away)
			}
		}
		s.tell(t, topic, fmt.Sprintf("here %d", attempt), 2, false)
		wantInbound(t, c, topic, fmt.Sprintf("here %d", attempt))
		s.publish(t, c, 1, 1)           // so that what was received is acknowledged
		for range min(attempt, 1) + 1 { // "away 2" and this one
			await(t, "the end of an exchange of QoS 2", between.ended, func() { c.Wait(time.Now().Add(10 * time.Millisecond)) })
		}
		c.Close(attempt == 1)
		await(t, "the end of the connection, to the broker", between.left, func() { time.Sleep(time.Millisecond) }) // before that it may send to who has left
		for qos := range byte(2) {
			s.tell(t, topic, fmt.Sprintf("away %d", qos+1), qos+1, false)
		}
	}
}

func conformLeaks(t *testing.T, s *stage) {
	d := s.dialer(sim.Binding{MQTT: sim.MQTT{Subscribe: []sim.Subscription{{Filter: "leaks/{id}", QoS: 1}}}})
	for i := range 10 {
		c, _, o := d.Dial(t.Context(), s.caller())
		if o != sim.OK {
			t.Fatal(o)
		}
		s.publish(t, c, byte(i%3), 5)
		for qos := range byte(3) {
			send(t, c, &sim.Message{Seq: 100 + uint32(qos), Topic: s.id + "/up", QoS: qos}) // unanswered
		}
		if s.name() != "" && len(goroutines()) == 0 {
			t.Fatal("no goroutine of the library is found while it is connected: is the pattern right?")
		}
		c.Close(i%2 == 0)
		c.Close(true)
	}
	for deadline := time.Now().Add(patience); len(goroutines()) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("left behind: %s", strings.Join(goroutines(), "\n\n"))
		}
	}
}

// name is the library's, "" for our own.
func (s *stage) name() string {
	if strings.HasPrefix(s.client.name, "own") {
		return ""
	}
	return s.client.name
}

// goroutines are the stacks of those that run a client: brokers in this process have some of their own.
func goroutines() (found []string) {
	stacks := make([]byte, 4<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	_, others, _ := strings.Cut(string(stacks), "\n\n") // the first is this one
	for stack := range strings.SplitSeq(others, "\n\n") {
		for _, part := range []string{"github.com/eclipse/paho.", "/sim/mqtt/specimen.", "/sim/mqtt."} {
			if strings.Contains(stack, part) {
				found = append(found, stack)
				break
			}
		}
	}
	return found
}
