package ledger

import (
	"fmt"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// Nobody watched between 10 and 12 s. Each message is settled at an instant; those whose instant lies in the
// outage and that nobody saw are unwatched, whatever else nobody saw is lost.
func TestOutages(t *testing.T) {
	const away, lost, delivered = "unwatched", "lost", "delivered"
	outage := Outage{Endpoint: "b:1", Of: 1, From: 10 * time.Second, To: 12 * time.Second}
	elsewhere, lasting := outage, outage
	elsewhere.Index, elsewhere.Of = 1, 2 // devices of an odd ordinal are there; ours is 0
	lasting.Lasts = true
	stalled, behind := outage, outage
	stalled.Stalled, stalled.Read = true, 15*time.Second
	behind.Stalled, behind.Behind = true, true
	for _, c := range []struct {
		name   string
		qos    byte
		at     sim.Instant // of the acknowledgement, or of sending at QoS 0
		seen   bool
		stored bool // the backend is watched too
		outage Outage
		want   string
	}{
		{"before it", 1, 9900 * ms, false, false, outage, lost},
		{"before it, and seen", 1, 9900 * ms, true, false, outage, delivered},
		{"at its beginning", 1, 10 * time.Second, false, false, outage, away},
		{"in it", 1, 11 * time.Second, false, false, outage, away},
		{"in it with QoS 2", 2, 11 * time.Second, false, false, outage, away},
		{"in it, and seen later", 1, 11 * time.Second, true, false, outage, delivered},
		{"in it, and the backend tells", 1, 11 * time.Second, false, true, outage, lost},
		{"acknowledged late, forwarded in it", 1, 12400 * ms, false, false, outage, away},
		{"after it", 1, 12600 * ms, false, false, outage, lost},
		{"it lasts", 1, 13 * time.Second, false, false, lasting, away},
		{"before one that lasts", 1, 9900 * ms, false, false, lasting, lost},
		{"another endpoint's", 1, 11 * time.Second, false, false, elsewhere, lost},
		{"a stall, in what had queued up", 1, 15400 * ms, false, false, stalled, away},
		{"a stall, after that was read", 1, 15600 * ms, false, false, stalled, lost},
		{"a stall that was never made up for", 1, 19 * time.Second, false, false, behind, away},
		{"QoS 0, long before it", 0, 9400 * ms, false, false, outage, lost},
		{"QoS 0, still on its way to the broker", 0, 9700 * ms, false, false, outage, away},
		{"QoS 0, in it", 0, 11 * time.Second, false, false, outage, away},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := oraclePlan(1)
			l := New(p, oracleRun, new(tape))
			l.Observable(fleetBoth, true, c.stored)
			l.Away([]Outage{c.outage})
			a := l.Account(fleetBoth, 0, 0)
			// The message in question, and one at the end that is seen: nothing is unsettled.
			for seq, at := range []sim.Instant{c.at, 20 * time.Second} {
				a.Due(uint32(seq))
				a.Sent(uint32(seq), c.qos, at)
				a.Acked(uint32(seq), at)
				if c.seen || seq > 0 {
					l.See(sim.Sighting{Stamp: sim.Stamp{Run: oracleRun, Fleet: fleetBoth, Seq: uint32(seq)}, At: at})
				}
			}
			s := l.Close(30*time.Second, oracleGrace)
			got := map[string]uint64{away: s.All.Unwatched, lost: s.All.Lost, delivered: s.All.Delivered - 1}
			if got[c.want] != 1 || got[away]+got[lost]+got[delivered] != 1 || s.All.Sent != 2 {
				t.Errorf("%+v, want one %s", s.All, c.want)
			}
			if s.All.UnwatchedQoS[c.qos] != s.All.Unwatched || s.All.LostQoS[c.qos] != s.All.Lost {
				t.Errorf("by QoS: %v, %v", s.All.UnwatchedQoS, s.All.LostQoS)
			}
			if c.want == away && (s.All.Away < 1 || len(s.Devices) != 1 || s.Devices[0].Unwatched != "0") {
				t.Errorf("%d were sent then, evidence %+v", s.All.Away, s.Devices)
			}
			if c.name == "in it, and seen later" && s.All.Away != 1 {
				t.Errorf("%d were sent then", s.All.Away)
			}
		})
	}
}

// Devices keep what they did in an outage however long it was ago, if they hear of it in time, and forget the
// rest as ever. The ledger learns it from their accounts.
func TestAccountsKeepOutages(t *testing.T) {
	p := oraclePlan(2)
	parts := []*Accounts{NewAccounts(p, 0, 2), NewAccounts(p, 1, 2)}
	l := New(p, oracleRun, new(tape))
	l.Afar(2)
	l.Observable(fleetBoth, true, false)
	const every = 100 * ms
	all := []Outage{{Endpoint: "b:1", Of: 1, From: 20 * time.Second, Lasts: true}}
	for k, part := range parts {
		a := part.Account(fleetBoth, 0, sim.Ordinal(k))
		for seq := range uint32(2000) {
			at := sim.Instant(seq) * every
			a.Due(seq)
			a.Sent(seq, 1, at)
			a.Acked(seq, at+ms)
			if at == 24*time.Second { // the news took a while
				part.Away(all)
			}
			if at == 31*time.Second {
				ended := all[0]
				ended.To, ended.Lasts = 30*time.Second, false
				part.Away([]Outage{ended})
				l.Away([]Outage{ended})
			}
		}
		if n := len(a.tail); n > 600 {
			t.Errorf("%d marks are kept of 105 in the outage and 50 of the last seconds", n)
		}
		if err := part.Pack(l.Merge); err != nil {
			t.Fatal(err)
		}
	}
	s := l.Close(2000*every+time.Minute, oracleGrace)
	// Nothing was seen of 2,000 messages: 0.1 s apart, from 20 s to half a second after 30 s.
	if want := uint64(105); s.Fleets[fleetBoth].Unwatched != 2*want || s.Fleets[fleetBoth].Lost != 2*(2000-want) {
		t.Errorf("%+v", s.Fleets[fleetBoth])
	}
}

func TestOutageSaysWhereAndWhen(t *testing.T) {
	o := Outage{Endpoint: "b:1", From: 1500 * ms, To: 3 * time.Second}
	lasts := o
	lasts.Lasts = true
	if got := fmt.Sprint(&o, ", ", &lasts); got != "b:1 from 1.5s to 3s, b:1 from 1.5s on" {
		t.Error(got)
	}
}
