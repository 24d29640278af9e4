package ledger

import (
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// A message has one fate: seen before acknowledged, acknowledged before refused, refused before unknown. All of
// it comes over in packed accounts.
func TestD1_3_RefusedIsAClassOfItsOwn(t *testing.T) {
	for _, afar := range []bool{false, true} {
		p := oraclePlan(1)
		l := New(p, oracleRun, new(tape))
		l.Observable(fleetBoth, true, false)
		a := l.Account(fleetBoth, 0, 0)
		accounts := NewAccounts(p, 0, 1)
		if afar {
			l.Afar(1)
			a = accounts.Account(fleetBoth, 0, 0)
		}
		for seq := range uint32(6) {
			a.Due(seq)
			a.Sent(seq, 1, 0)
		}
		a.Acked(0, 0) // lost
		a.Acked(1, 0) // lost, and the broker said that nobody subscribes
		a.Nobody(1)
		a.Refused(2) // refused
		a.Refused(3) // and yet acknowledged when it was sent again: lost
		a.Acked(3, 0)
		a.Refused(4) // and yet seen: delivered
		l.See(sim.Sighting{Stamp: sim.Stamp{Run: oracleRun, Fleet: fleetBoth, Seq: 4}, At: 0})
		if afar {
			for range 2 {
				if err := accounts.Pack(l.Merge); err != nil {
					t.Fatal(err)
				}
			}
		}
		got := l.Close(time.Hour, 0).Fleets[fleetBoth] // 5 was never answered: unknown
		want := Totals{Due: 6, Sent: 6, Acked: 3, Received: 1, Delivered: 1, Lost: 3, Refused: 1, Unknown: 1, Unanswered: 1, Nobody: 1, LostNobody: 1,
			SentQoS: [3]uint64{0, 6, 0}, AckedQoS: [3]uint64{0, 3, 0}, LostQoS: [3]uint64{0, 3, 0}}
		if got != want {
			t.Errorf("afar %t:\n got %+v\nwant %+v", afar, got, want)
		}
	}
}

// What was never acknowledged is told, also where it arrived: only its sender was left without an answer.
func TestD1_8_UnansweredIsTold(t *testing.T) {
	l := New(oraclePlan(1), oracleRun, new(tape))
	l.Observable(fleetBoth, true, true)
	a := l.Account(fleetBoth, 0, 0)
	for seq := range uint32(5) {
		qos := byte(1)
		if seq == 4 {
			qos = 0 // nobody answers
		}
		a.Due(seq)
		a.Sent(seq, qos, 0)
		l.See(sim.Sighting{Stamp: sim.Stamp{Run: oracleRun, Fleet: fleetBoth, Seq: seq}, At: 0})
	}
	a.Acked(0, 0)
	a.Refused(1)
	got := l.Close(time.Hour, 0).Fleets[fleetBoth]
	if got.Unanswered != 2 || got.Delivered != 5 || got.Unknown+got.Lost+got.Unsettled != 0 {
		t.Errorf("%+v", got)
	}
	c := FindColumn("without answer")
	if c == nil || c.Of(&got) != 2 || !c.Bad {
		t.Errorf("the account does not show it: %+v", c)
	}
}
