package ledger

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"runtime"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// hearingPlan has meters, which report on "m/{id}", and dashboards, which subscribe to filters.
func hearingPlan(meters, dashboards int, filters ...string) *sim.Plan {
	var subs []sim.Subscription
	for _, f := range filters {
		subs = append(subs, sim.Subscription{Filter: f, QoS: 1})
	}
	data := sim.Binding{Role: sim.RoleData, Channel: sim.ChannelMQTT, Dialect: "plain", QoS: 1}
	listening := data
	listening.MQTT.Subscribe = subs
	return &sim.Plan{Fleets: []sim.Fleet{
		{Name: "meters", Count: meters, Bindings: []sim.Binding{data}, Skills: []sim.Skill{{Name: sim.SkillReport, Topic: "m/{id}", Every: sim.Duration(time.Second)}}},
		{Name: "boards", Count: dashboards, Bindings: []sim.Binding{listening}},
	}}
}

// reported is message seq of a meter, due each second and acknowledged 10 ms later.
func reported(a *Account, seq uint32) {
	at := time.Duration(seq+1) * time.Second
	a.Due(seq)
	a.Sent(seq, 1, at)
	a.Acked(seq, at+10*ms)
}

// came is one copy of it at a receiver.
func came(r *Receiver, o sim.Ordinal, seq uint32, again bool) {
	r.Hear(&sim.Stamp{Device: o, Seq: seq}, false, again, time.Duration(seq+1)*time.Second+20*ms)
}

// shuttled is a plan's ledger whose accounts come in from shards, in pieces that come twice and in any order.
func shuttled(t *testing.T, p *sim.Plan, shards int, r *rand.Rand, play func(account func(int, sim.Ordinal) *Account, receiver func(sim.Ordinal) *Receiver)) *Ledger {
	t.Helper()
	l := New(p, oracleRun, new(tape))
	l.Observable(0, true, false)
	l.Afar(shards)
	var all []*Accounts
	for i := range shards {
		all = append(all, NewAccounts(p, i, shards))
	}
	at := func(o sim.Ordinal) *Accounts { return all[int(o)%shards] }
	play(func(f int, o sim.Ordinal) *Account { return at(o).Account(f, 0, o) }, func(o sim.Ordinal) *Receiver { return at(o).Receiver(1, o) })
	var pieces [][]byte
	for _, a := range all {
		if err := a.Pack(func(b []byte) error { pieces = append(pieces, bytes.Clone(b)); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	pieces = append(pieces, pieces...)
	r.Shuffle(len(pieces), func(i, j int) { pieces[i], pieces[j] = pieces[j], pieces[i] })
	for _, b := range pieces {
		if err := l.Merge(b); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

// The fan-out of 20 receivers and 50,000 messages of 50 senders, through a liar that drops, doubles and swaps for
// chosen receivers: the book says exactly that for each.
func TestD1_1_FanOutThroughALiar(t *testing.T) {
	const boards, meters, each = 20, 50, 1000
	p := hearingPlan(meters, boards, "m/+")
	type fate struct{ lost, twice, swapped uint64 }
	want := make([]fate, boards)
	l := shuttled(t, p, 4, rand.New(rand.NewPCG(1, 2)), func(account func(int, sim.Ordinal) *Account, receiver func(sim.Ordinal) *Receiver) {
		for o := range sim.Ordinal(meters) {
			for seq := range uint32(each) {
				reported(account(0, o), seq)
			}
		}
		for b := range sim.Ordinal(boards) {
			r := receiver(b)
			r.Up(false, false, 100*ms)
			lies := rand.New(rand.NewPCG(uint64(b), 7))
			for seq := uint32(0); seq < each; seq++ {
				for o := range sim.Ordinal(meters) {
					came(r, o, seq, false)
					if b%4 == 1 && lies.IntN(100) == 0 {
						came(r, o, seq, lies.IntN(2) == 0) // a DUP flag alone excuses nothing
						want[b].twice++
					}
				}
			}
			r.Down(true, (each+60)*time.Second)
		}
		// The droppers and the swappers are played again, on empty accounts.
		for b := range sim.Ordinal(boards) {
			if b%4 < 2 {
				continue
			}
			r := receiver(b)
			*r = Receiver{}
			r.Up(false, false, 100*ms)
			lies := rand.New(rand.NewPCG(uint64(b), 8))
			for o := range sim.Ordinal(meters) {
				for seq := uint32(0); seq < each; seq++ {
					switch {
					case b%4 == 2 && lies.IntN(100) == 0:
						want[b].lost++
					case b%4 == 3 && seq+1 < each && lies.IntN(100) == 0:
						came(r, o, seq+1, false)
						came(r, o, seq, false)
						want[b].swapped++
						seq++
					default:
						came(r, o, seq, false)
					}
				}
			}
			r.Down(true, (each+60)*time.Second)
		}
	})
	s := l.Close((each+60)*time.Second, 2*time.Second)
	if len(s.Hearings) != 1 {
		t.Fatalf("%d hearings", len(s.Hearings))
	}
	h := &s.Hearings[0]
	if h.Receivers != boards || h.Away != 0 || h.Missing != 0 || h.Owed != boards*meters*each {
		t.Errorf("%+v", *h)
	}
	var sum fate
	for b := range boards {
		d := h.By(sim.Ordinal(b))
		if got := (fate{d.Lost, d.Twice, d.Reordered}); got != want[b] || d.Unknown+d.Again+d.Phantom != 0 || d.Got+d.Lost != meters*each {
			t.Errorf("board %d: got %+v (%+v), want %+v", b, got, d, want[b])
		}
		sum = fate{sum.lost + want[b].lost, sum.twice + want[b].twice, sum.swapped + want[b].swapped}
	}
	if sum.lost == 0 || sum.twice == 0 || sum.swapped == 0 || h.Lost != sum.lost || h.Twice != sum.twice || h.Reordered != sum.swapped {
		t.Errorf("in all %+v, want %+v", h.Deliveries, sum)
	}
	t.Logf("of %d deliveries: %+v", h.Owed, sum)
}

// What the receivers' book costs: per pair of receiver and sender that talked, and per gap.
func TestD1_1_MemoryOfTheBook(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for _, c := range []struct {
		receivers, senders, messages, gaps int
		most                               float64 // bytes a pair
	}{{10, 10_000, 10, 0, 90}, {20, 50, 1000, 0, 200}, {20, 50, 1000, 20, 500}} {
		before := heap()
		list := make([]Receiver, c.receivers)
		for i := range list {
			for seq := range uint32(c.messages) {
				if c.gaps > 0 && int(seq)%(c.messages/c.gaps) == 1 {
					continue
				}
				for o := range sim.Ordinal(c.senders) {
					came(&list[i], o, seq, false)
				}
			}
		}
		pair := float64(heap()-before) / float64(c.receivers*c.senders)
		t.Logf("%d receivers of %d senders, %d messages each, %d gaps: %.0f B a pair, %.2f MB in all", c.receivers, c.senders, c.messages, c.gaps, pair,
			pair*float64(c.receivers*c.senders)/1e6)
		if pair > c.most {
			t.Errorf("%.0f bytes a pair, more than %.0f", pair, c.most)
		}
		runtime.KeepAlive(list)
	}
}

func TestHearDoesNotAllocate(t *testing.T) {
	var r Receiver
	seq := uint32(0)
	for ; seq < 2*recentHeard; seq++ {
		came(&r, sim.Ordinal(seq%4), seq/4, false)
	}
	if n := testing.AllocsPerRun(4000, func() { came(&r, sim.Ordinal(seq%4), seq/4, false); seq++ }); n != 0 {
		t.Errorf("a message allocates %v times", n)
	}
}

// Entitlement at its edges: a clean session's receiver is entitled to what was sent while it was subscribed, a kept
// session's to what was sent while it was away too, and what lies at an edge is neither lost nor delivered.
func TestD1_1_Entitlement(t *testing.T) {
	const last = 60 // messages 0 to 59, at second 1 to 60
	type span struct{ from, to float64 }
	for name, c := range map[string]struct {
		session time.Duration
		online  []span
		lost    bool // the broker gives it nothing
		own     bool
		owed    string // of what the receiver must have
		unknown string
	}{
		"always there":               {0, []span{{0, 100}}, true, true, "0-59", ""},
		"late":                       {0, []span{{30.5, 100}}, true, true, "30-59", ""},
		"late, in the middle of one": {0, []span{{30.005, 100}}, true, true, "30-59", "29"},
		"gone early":                 {0, []span{{0, 30.5}}, true, true, "0-27", "28-29"},
		"away for a while":           {0, []span{{0, 20.5}, {40.5, 100}}, true, true, "0-17,40-59", "18-19"},
		"away for a while, kept":     {time.Hour, []span{{0, 20.5}, {40.5, 100}}, true, true, "0-59", ""},
		"away for longer than kept":  {10 * time.Second, []span{{0, 20.5}, {40.5, 100}}, true, true, "0-17,40-59", "18-39"},
		"kept and never back":        {time.Hour, []span{{0, 30.5}}, true, true, "0-27", "28-59"},
		"kept and back too late":     {time.Hour, []span{{0, 20.5}, {99.5, 100}}, true, true, "0-17", "18-59"},
		"lost at an unknown moment":  {0, []span{{0, 30.5}}, true, false, "", "0-29"},
		"never there":                {0, nil, true, true, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := hearingPlan(1, 1, "m/#")
			p.Fleets[1].Bindings[0].Session = sim.Duration(c.session)
			l := New(p, oracleRun, new(tape))
			for seq := range uint32(last) {
				reported(l.Account(0, 0, 0), seq)
			}
			r := l.Receiver(1, 0)
			for _, s := range c.online {
				r.Up(false, false, time.Duration(s.from*float64(time.Second)))
				r.Down(c.own, time.Duration(s.to*float64(time.Second)))
			}
			s := l.Close(100*time.Second, 2*time.Second)
			var owed, unknown Set
			a := l.Account(0, 0, 0)
			session := float64(c.session.Milliseconds())
			certain, _, possible := a.more.clock.owed(r.windows(session), 2000, nil)
			for seq := range uint32(last) {
				switch {
				case certain.Has(seq):
					owed.Add(seq)
				case possible.Has(seq):
					unknown.Add(seq)
				}
			}
			h := s.Hearings[0]
			if owed.String() != c.owed || unknown.String() != c.unknown || h.Lost != owed.Len() || h.Unsettled+h.Unknown != unknown.Len() || h.Got != 0 {
				t.Errorf("owed %q, unknown %q, want %q, %q; %+v", owed.String(), unknown.String(), c.owed, c.unknown, h)
			}
		})
	}
}

// A kept session may get again what the broker does not know to be answered, and a copy for each of two
// subscriptions that match; anything else came twice.
func TestD1_1_CopiesThatAreAllowed(t *testing.T) {
	p := hearingPlan(1, 3, "m/#")
	l := New(p, oracleRun, new(tape))
	for seq := range uint32(1000) {
		reported(l.Account(0, 0, 0), seq)
	}
	r := l.Receiver(1, 0)
	r.Up(false, false, 0)
	for seq := range uint32(600) {
		came(r, 0, seq, false)
	}
	r.Down(false, 601*time.Second)
	r.Up(true, false, 602*time.Second)
	came(r, 0, 599, true)  // the answer may have been lost
	came(r, 0, 598, false) // no DUP flag: the broker sends it as new
	came(r, 0, 100, true)  // answered long ago
	for seq := uint32(600); seq < 1000; seq++ {
		came(r, 0, seq, false)
	}
	r.Hear(&sim.Stamp{Seq: 999}, true, false, 1001*time.Second) // retained: no delivery
	h := l.Close(1100*time.Second, 2*time.Second).Hearings[0]
	if d := h.By(0); d.Again != 1 || d.Twice != 2 || d.Lost+d.Unknown+d.Reordered != 0 || d.Got != 1000 || h.Retained != 1 {
		t.Errorf("%+v, %+v", d, h)
	}
	two := hearingPlan(1, 1, "m/#", "m/+")
	l = New(two, oracleRun, new(tape))
	reported(l.Account(0, 0, 0), 0)
	r = l.Receiver(1, 0)
	r.Up(false, false, 0)
	came(r, 0, 0, false)
	came(r, 0, 0, false)
	if h := l.Close(100*time.Second, 0).Hearings[0]; h.Again != 1 || h.Twice != 0 || h.Got != 1 {
		t.Errorf("two subscriptions: %+v", h)
	}
}

// A shared group is judged as a whole: each message is for one of its members.
func TestD1_1_SharedGroup(t *testing.T) {
	p := hearingPlan(1, 4, "$share/crew/m/#")
	l := shuttled(t, p, 3, rand.New(rand.NewPCG(3, 4)), func(account func(int, sim.Ordinal) *Account, receiver func(sim.Ordinal) *Receiver) {
		for o := range sim.Ordinal(4) {
			receiver(o).Up(false, false, 0)
		}
		for seq := range uint32(100) {
			reported(account(0, 0), seq)
			switch {
			case seq%10 == 3: // it went to a member without power: nobody has it
			case seq == 50:
				came(receiver(0), 0, seq, false)
				came(receiver(1), 0, seq, false) // both
			default:
				came(receiver(sim.Ordinal(seq%3)), 0, seq, false)
			}
		}
		came(receiver(2), 0, 97, false) // member 1 has it too, but 2 lost its connection before it answered
		receiver(2).Down(false, 200*time.Second)
		receiver(3).Down(true, 20*time.Second)
	})
	s := l.Close(200*time.Second, 2*time.Second)
	if len(s.Hearings) != 1 || s.Hearings[0].Group != "crew/m/#" {
		t.Fatalf("%+v", s.Hearings)
	}
	h := &s.Hearings[0]
	if h.Owed != 100 || h.Got != 90 || h.Lost != 10 || h.Twice != 1 || h.Again != 1 || h.Receivers != 4 || h.Away != 1 {
		t.Errorf("%+v", *h)
	}
	if len(s.Heard) != 1 || s.Heard[0].Missing != "meters-0: 3,13,23,33,43,53,63,73,83,93" {
		t.Errorf("%+v", s.Heard)
	}
}

// Damaged parts are refused, whatever is wrong with them.
func TestReceiverPartsAreChecked(t *testing.T) {
	p := hearingPlan(3, 2, "m/#")
	a := NewAccounts(p, 0, 1)
	r := a.Receiver(1, 1)
	r.Up(false, false, time.Second)
	for seq := range uint32(5) {
		came(r, 0, 2*seq, false)
	}
	r.Down(true, time.Minute)
	var whole []byte
	if err := a.Pack(func(b []byte) error { whole = bytes.Clone(b); return nil }); err != nil {
		t.Fatal(err)
	}
	l := New(p, oracleRun, new(tape))
	l.Afar(1)
	if err := l.Merge(whole); err != nil {
		t.Fatal(err)
	}
	for n := range len(whole) - 1 {
		l := New(p, oracleRun, new(tape))
		l.Afar(1)
		_ = l.Merge(whole[:n]) // must not panic
		l.Close(time.Minute, 0)
		for _, bit := range []byte{1, 0x80, 0xff} {
			l := New(p, oracleRun, new(tape))
			l.Afar(1)
			broken := bytes.Clone(whole)
			broken[n] ^= bit
			_ = l.Merge(broken)
			l.Close(time.Minute, 0)
		}
	}
}

// Whatever receivers heard, and in however many workers they and the senders were: pieces that come twice and in any
// order give the same book as one process.
func TestD1_1_MergeIsThatOfOneProcess(t *testing.T) {
	for seed := range uint64(30) {
		filters := [][]string{{"m/#"}, {"m/+", "m/meters-1"}, {"$share/g/m/#"}, {"m/{id}", "#"}}[seed%4]
		p := hearingPlan(7, 5, filters...)
		p.Fleets[1].Bindings[0].Session = sim.Duration(seed%3) * sim.Duration(10*time.Second)
		play := func(account func(int, sim.Ordinal) *Account, receiver func(sim.Ordinal) *Receiver) {
			r := rand.New(rand.NewPCG(seed, 5))
			for b := range sim.Ordinal(5) {
				receiver(b).Up(r.IntN(2) == 0, r.IntN(9) == 0, time.Duration(r.IntN(900))*ms)
				if low := r.IntN(4); low < 2 {
					receiver(b).Granted(byte(low))
				}
			}
			for seq := range uint32(60) {
				for o := range sim.Ordinal(7) {
					a, at := account(0, o), time.Duration(seq+1)*time.Second
					a.Due(seq)
					if r.IntN(20) == 0 {
						continue
					}
					a.Sent(seq, byte(r.IntN(2)), at)
					if r.IntN(10) > 0 {
						a.Acked(seq, at+time.Duration(r.IntN(900))*ms)
					}
				}
				for b := range sim.Ordinal(5) {
					if r.IntN(25) == 0 {
						receiver(b).Down(r.IntN(2) == 0, time.Duration(seq+1)*time.Second)
						receiver(b).Up(r.IntN(2) == 0, false, time.Duration(seq+1)*time.Second+500*ms)
					}
					for range 7 {
						came(receiver(b), sim.Ordinal(r.IntN(7)), seq-min(seq, uint32(r.IntN(3))), r.IntN(3) == 0)
					}
				}
			}
			for b := range sim.Ordinal(5) {
				receiver(b).Down(true, 70*time.Second)
			}
		}
		one := New(p, oracleRun, new(tape))
		play(func(f int, o sim.Ordinal) *Account { return one.Account(f, 0, o) }, func(o sim.Ordinal) *Receiver { return one.Receiver(1, o) })
		want := one.Close(70*time.Second, 2*time.Second)
		for shards := 1; shards <= 4; shards++ {
			got := shuttled(t, p, shards, rand.New(rand.NewPCG(seed, uint64(shards))), play).Close(70*time.Second, 2*time.Second)
			if !reflect.DeepEqual(got.Hearings, want.Hearings) || !reflect.DeepEqual(got.Heard, want.Heard) {
				t.Fatalf("seed %d, %d shards:\n got %+v\nwant %+v", seed, shards, got.Hearings, want.Hearings)
			}
		}
		if len(want.Hearings) == 0 || want.Hearings[0].Owed == 0 {
			t.Fatalf("seed %d: nothing was owed", seed)
		}
	}
}

// Closing the book of many pairs takes a few hundred nanoseconds and no allocation for each.
func BenchmarkCloseReceivers(b *testing.B) {
	const boards, meters, each = 100, 10_000, 10
	p := hearingPlan(meters, boards, "m/+")
	l := New(p, oracleRun, new(tape))
	for o := range sim.Ordinal(meters) {
		for seq := range uint32(each) {
			reported(l.Account(0, 0, o), seq)
		}
	}
	for r := range sim.Ordinal(boards) {
		l.Receiver(1, r).Up(false, false, 0)
		for o := range sim.Ordinal(meters) {
			for seq := range uint32(each) {
				came(l.Receiver(1, r), o, seq, false)
			}
		}
		l.Receiver(1, r).Down(true, time.Minute)
	}
	b.ReportAllocs()
	for b.Loop() {
		l.closeReceivers(time.Second)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/boards/meters, "ns/pair")
}

// Devices that never got their subscription, and those with more connections than are kept, are counted: of them it
// is not known what they should have had.
func TestD1_1_NeverSubscribedIsCounted(t *testing.T) {
	for _, filter := range []string{"m/#", "$share/crew/m/#"} {
		l := New(hearingPlan(1, 5, filter), oracleRun, new(tape))
		for seq := range uint32(10) {
			reported(l.Account(0, 0, 0), seq)
		}
		for o := sim.Ordinal(2); o < 5; o++ {
			r := l.Receiver(1, o)
			r.Up(false, false, 0)
			for range 2 * maxPresences {
				if o == 4 {
					r.Down(true, 0)
					r.Up(false, false, 0)
				}
			}
			for seq := range uint32(10) {
				if seq%3 == uint32(o)-2 || filter == "m/#" {
					came(r, 0, seq, false)
				}
			}
			r.Down(true, time.Minute)
		}
		h := l.Close(time.Minute, 2*time.Second).Hearings[0]
		if h.Never != 2 || h.Blurred != 1 || h.Receivers != 3 || h.Lost != 0 {
			t.Errorf("%s: %+v", filter, h)
		}
		for o, want := range []Standing{Never, Never, Subscribed, Subscribed, Blurred, NotAsked} {
			if got := h.Standing(1, sim.Ordinal(o)); got != want {
				t.Errorf("%s: device %d stands %d, want %d", filter, o, got, want)
			}
		}
	}
}
