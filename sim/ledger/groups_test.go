package ledger

import (
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// The messages of a group's member that lost power, which the broker does not know: at QoS 1 it has to give them to
// another, at QoS 0 and 2 it need not, and so they are not lost by its fault. What nobody got before is, at any QoS.
func TestD1_1_SharedGroupWithADeadMember(t *testing.T) {
	for qos, want := range map[byte]struct{ lost, unknown uint64 }{0: {1, 3}, 1: {4, 0}, 2: {1, 3}} {
		p := hearingPlan(1, 3, "$share/jobs/m/#")
		p.Fleets[0].Bindings[0].QoS = qos
		p.Fleets[1].Bindings[0].MQTT.Subscribe[0].QoS = qos
		l := New(p, oracleRun, new(tape))
		for o := range sim.Ordinal(3) {
			l.Receiver(1, o).Up(false, false, 0)
		}
		for seq := range uint32(60) {
			at := time.Duration(seq+1) * time.Second
			a := l.Account(0, 0, 0)
			a.Due(seq)
			a.Sent(seq, qos, at)
			if qos > 0 {
				a.Acked(seq, at+10*ms)
			}
			switch seq {
			case 5, 25, 30, 35: // nobody has it
			default:
				came(l.Receiver(1, sim.Ordinal(seq%2)), 0, seq, false)
			}
			if seq == 20 {
				l.Receiver(1, 2).Down(true, at) // it loses power, and is back 20 s later
			}
			if seq == 40 {
				l.Receiver(1, 2).Up(false, false, at)
			}
		}
		for o := range sim.Ordinal(3) {
			l.Receiver(1, o).Down(true, 90*time.Second)
		}
		h := l.Close(100*time.Second, 2*time.Second).Hearings[0]
		if h.Got != 56 || h.Lost != want.lost || h.Unknown != want.unknown || h.Unsettled != 0 {
			t.Errorf("QoS %d: %+v, want %d lost and %d unknown", qos, h.Deliveries, want.lost, want.unknown)
		}
	}
}

// A group's members at another broker than a sender's are owed nothing of it, whatever their numbers are.
func TestD1_1_SharedGroupApart(t *testing.T) {
	for name, c := range map[string]struct {
		at          sim.Endpoints
		secured     bool // the members speak TLS
		lost, apart int
	}{
		"one broker":            {sim.Endpoints{sim.SchemeMQTT: {"a:1"}}, false, 4, 0},
		"each its own":          {sim.Endpoints{sim.SchemeMQTT: {"a:1", "b:1"}}, false, 2, 2}, // the member is at the first
		"the same, secured":     {sim.Endpoints{sim.SchemeMQTT: {"a:1"}, sim.SchemeMQTTS: {"a:2"}}, true, 4, 0},
		"nobody knows which":    {sim.Endpoints{sim.SchemeMQTT: {"a:1"}, sim.SchemeMQTTS: {"a:2", "b:2"}}, true, 0, 4},
		"nobody knows which, 2": {sim.Endpoints{sim.SchemeMQTT: {"a:1", "b:1"}, sim.SchemeMQTTS: {"a:2"}}, true, 0, 4},
	} {
		p := hearingPlan(4, 1, "$share/jobs/m/#")
		if c.secured {
			p.Fleets[1].Bindings[0].Transport = sim.TransportTLS
		}
		l := New(p, oracleRun, new(tape))
		l.At(c.at)
		l.Receiver(1, 0).Up(false, false, 0)
		for o := range sim.Ordinal(4) {
			reported(l.Account(0, 0, o), 0)
		}
		l.Receiver(1, 0).Down(true, 90*time.Second)
		h := l.Close(100*time.Second, 2*time.Second).Hearings[0]
		if int(h.Lost) != c.lost || h.Apart != c.apart {
			t.Errorf("%s: %d lost, %d apart, want %d, %d", name, h.Lost, h.Apart, c.lost, c.apart)
		}
	}
}

// Closing a group visits who heard a sender, not each member for each sender.
func TestD1_1_ClosingAGroupVisitsWhoTalked(t *testing.T) {
	const members, senders = 50, 400
	p := hearingPlan(senders, members, "$share/jobs/m/#")
	l := New(p, oracleRun, new(tape))
	for o := range sim.Ordinal(members) {
		l.Receiver(1, o).Up(false, false, 0)
	}
	for o := range sim.Ordinal(senders) {
		reported(l.Account(0, 0, o), 0)
		came(l.Receiver(1, o%members), o, 0, false)
	}
	g, visits := l.groups()[0], 0
	for _, who := range g.talks {
		visits += len(who)
	}
	if len(g.members) != members || visits != senders {
		t.Errorf("%d visits of %d members, want %d", visits, len(g.members), senders)
	}
	if h := l.Close(100*time.Second, 2*time.Second).Hearings[0]; h.Got != senders || h.Owed != senders || h.Twice != 0 {
		t.Errorf("%+v", h.Deliveries)
	}
}
