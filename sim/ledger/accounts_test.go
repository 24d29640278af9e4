package ledger

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

func accountsPlan() *sim.Plan {
	one := []sim.Skill{{Name: sim.SkillReport, Topic: "t"}}
	mqtt := []sim.Binding{{Role: sim.RoleData, Channel: sim.ChannelMQTT, QoS: 1}}
	return &sim.Plan{Fleets: []sim.Fleet{
		{Name: "a", Count: 1001, Bindings: mqtt, Skills: one}, {Name: "b", Count: 3, Bindings: mqtt, Skills: one},
	}}
}

// live makes every device do something else, through whoever keeps its account.
func live(p *sim.Plan, account func(fleet int, o sim.Ordinal) *Account) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for fleet := range p.Fleets {
		for o := range p.Fleets[fleet].Count {
			a := account(fleet, sim.Ordinal(o))
			for seq := range uint32(rnd.IntN(40)) {
				at := sim.Instant(seq) * time.Second
				a.Due(seq)
				switch rnd.IntN(6) {
				case 0:
					a.Dropped(seq)
				case 1:
				default:
					a.Sent(seq, byte(rnd.IntN(2))*byte(1+o%2), at)
					if rnd.IntN(3) > 0 {
						a.Acked(seq, at+time.Millisecond)
					}
					if rnd.IntN(5) == 0 {
						a.Resent(seq)
					}
				}
			}
		}
	}
}

// A ledger judges the same whether the accounts were its own or came from shards, in any order, and
// one of them twice.
func TestAccountsFromShards(t *testing.T) {
	p := accountsPlan()
	own := New(p, 1, NewRecorder(p, 0, 0))
	live(p, func(fleet int, o sim.Ordinal) *Account { return own.Account(fleet, 0, o) })
	far := New(p, 1, NewRecorder(p, 0, 0))
	far.Afar(3)
	const shards = 4
	var parts [shards]*Accounts
	for k := range parts {
		parts[k] = NewAccounts(p, k, shards)
	}
	live(p, func(fleet int, o sim.Ordinal) *Account { return parts[int(o)%shards].Account(fleet, 0, o) })
	for _, l := range []*Ledger{own, far} {
		for i := range p.Fleets {
			l.Observable(i, true, false)
		}
	}
	for k := shards - 1; k >= 0; k-- {
		for range 1 + k%2 {
			if err := parts[k].Pack(far.Merge); err != nil {
				t.Fatal(err)
			}
		}
	}
	want, got := own.Close(time.Hour, time.Second), far.Close(time.Hour, time.Second)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("from shards %+v\nown %+v", got.All, want.All)
	}
	if want.All.Sent == 0 || want.All.Dropped == 0 || want.All.Unsent == 0 || want.All.Lost == 0 || want.All.Unknown == 0 {
		t.Errorf("too little happened: %+v", want.All)
	}
}

func TestAccountsThatNeverCame(t *testing.T) {
	p := accountsPlan()
	l := New(p, 1, NewRecorder(p, 0, 0))
	l.Afar(3)
	l.Observable(0, true, false)
	a := NewAccounts(p, 1, 3)
	a.Account(0, 0, 1).Due(0)
	a.Account(0, 0, 1).Sent(0, 1, time.Second)
	if err := a.Pack(l.Merge); err != nil {
		t.Fatal(err)
	}
	l.See(sim.Sighting{Stamp: sim.Stamp{Run: 1, Device: 1, Due: time.Second}, At: 2 * time.Second})
	l.See(sim.Sighting{Stamp: sim.Stamp{Run: 1, Device: 2, Due: time.Second}, At: 2 * time.Second})         // of a lost device
	l.See(sim.Sighting{Stamp: sim.Stamp{Run: 1, Device: 4, Due: 9 * time.Second}, At: 2 * time.Second})     // before it was due
	l.See(sim.Sighting{Stamp: sim.Stamp{Run: 1, Device: 7, Seq: 5, Due: time.Second}, At: 2 * time.Second}) // never sent
	s := l.Close(time.Hour, 0)
	if !reflect.DeepEqual(s.Missing, []int{1001 - 334, 2}) {
		t.Errorf("missing %v", s.Missing)
	}
	if s.All.Due != 1 || s.All.Delivered != 1 || s.All.Phantom != 2 || s.All.Lost != 0 {
		t.Errorf("%+v", s.All)
	}
}

func FuzzMerge(f *testing.F) {
	p := journeysPlan(1001)
	a := NewAccounts(p, 0, 7)
	live(p, func(fleet int, o sim.Ordinal) *Account {
		if int(o)%7 == 0 {
			return a.Account(fleet, 0, o)
		}
		return new(Account)
	})
	_ = a.Pack(func(b []byte) error { f.Add(b[:200]); return nil })
	_ = a.Pack(func(b []byte) error { f.Add(b[max(0, len(b)-200):]); return nil })
	var j Journey
	for at := range 4 {
		j.Enter(connecting(), at%3, sim.Instant(at))
	}
	f.Add(j.append([]byte{0, firstJourney, 3}))
	f.Fuzz(func(t *testing.T, piece []byte) {
		l := New(p, 1, NewRecorder(p, 0, 0))
		l.Afar(3)
		_ = l.Merge(piece) // whatever it makes of it, the ledger can be closed
		l.Close(time.Hour, 0)
	})
}
