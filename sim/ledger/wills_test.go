package ledger

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/myriad-iot/myriad/sim"
)

// leaving is a plan of devices that leave a will, delayed by delay, with a session of a minute.
func leaving(version string, delay time.Duration) *sim.Plan {
	return &sim.Plan{Fleets: []sim.Fleet{{Name: "meters", Count: 2, Bindings: []sim.Binding{{
		Role: sim.RoleData, Channel: sim.ChannelMQTT, Version: version, KeepAlive: sim.Duration(10 * time.Second), Session: sim.Duration(time.Minute),
		MQTT: sim.MQTT{Will: &sim.Will{Topic: "m/{id}/state", Payload: "gone", QoS: 1, Delay: sim.Duration(delay)}},
	}}}}}
}

// bond is a connection of a test: up at, until.
type bond struct {
	up, down time.Duration
	how      End
	fresh    bool
}

// What is due, and what a will that came is, follow from how each connection ended (MQTT 5 section 3.1.2.5).
func TestD1_7_WillsFollowFromHowConnectionsEnd(t *testing.T) {
	const s, end = time.Second, 100 * time.Second
	type want = WillTotals
	for name, tt := range map[string]struct {
		version string
		delay   time.Duration
		lives   []bond
		seen    []time.Duration
		away    []Outage
		end     time.Duration
		want    want
	}{
		"a goodbye":                    {lives: []bond{{1 * s, 9 * s, EndGoodbye, false}}},
		"a will after a goodbye":       {lives: []bond{{1 * s, 9 * s, EndGoodbye, false}}, seen: []time.Duration{9*s + 5*time.Millisecond}, want: want{Seen: 1, NotDue: 1}},
		"closed":                       {lives: []bond{{1 * s, 9 * s, EndLost, false}}, seen: []time.Duration{9 * s}, want: want{Seen: 1, Due: 1, Received: 1}},
		"closed, and no will":          {lives: []bond{{1 * s, 9 * s, EndLost, false}}, want: want{Due: 1, Missing: 1}},
		"twice":                        {lives: []bond{{1 * s, 9 * s, EndLost, false}}, seen: []time.Duration{9 * s, 9*s + 1}, want: want{Seen: 2, Due: 1, Received: 1, Twice: 1}},
		"while it was up":              {lives: []bond{{1 * s, 9 * s, EndGoodbye, false}}, seen: []time.Duration{5 * s}, want: want{Seen: 1, Early: 1}},
		"before power was lost":        {lives: []bond{{1 * s, 9 * s, EndPower, false}}, seen: []time.Duration{5 * s, 20 * s}, want: want{Seen: 2, Due: 1, Received: 1, Early: 1}},
		"power lost, by keep-alive":    {lives: []bond{{1 * s, 9 * s, EndPower, false}}, seen: []time.Duration{24 * s}, want: want{Seen: 1, Due: 1, Received: 1}},
		"power lost, by takeover":      {lives: []bond{{1 * s, 9 * s, EndPower, false}, {12 * s, 90 * s, EndGoodbye, false}}, seen: []time.Duration{12*s + 30*time.Millisecond}, want: want{Seen: 1, Due: 1, Received: 1}},
		"power lost near the end":      {lives: []bond{{1 * s, 90 * s, EndPower, false}}, want: want{Due: 1, Unsettled: 1}},
		"a silent peer":                {lives: []bond{{1 * s, 30 * s, EndSilent, false}}, seen: []time.Duration{20 * s}, want: want{Seen: 1, Due: 1, Received: 1}},
		"two, the first never came":    {lives: []bond{{1 * s, 9 * s, EndLost, false}, {10 * s, 19 * s, EndLost, false}}, seen: []time.Duration{19 * s}, want: want{Seen: 1, Due: 2, Received: 1, Missing: 1}},
		"nobody watched":               {lives: []bond{{1 * s, 9 * s, EndLost, false}}, away: []Outage{{Of: 1, From: 9*s + s/2, To: 12 * s}}, want: want{Due: 1, Unknown: 1}},
		"somebody watched again":       {lives: []bond{{1 * s, 9 * s, EndLost, false}}, away: []Outage{{Of: 1, From: 19 * s, To: 22 * s}}, want: want{Due: 1, Missing: 1}},
		"a call may have been one":     {lives: []bond{{1 * s, 2 * s, endCall, false}, {3 * s, 90 * s, EndGoodbye, false}}, seen: []time.Duration{2 * s}, want: want{Seen: 1}},
		"delay, back in time":          {version: "5", delay: 5 * s, lives: []bond{{1 * s, 9 * s, EndLost, false}, {11 * s, 90 * s, EndGoodbye, false}}},
		"delay, back in time, a will":  {version: "5", delay: 5 * s, lives: []bond{{1 * s, 9 * s, EndLost, false}, {11 * s, 90 * s, EndGoodbye, false}}, seen: []time.Duration{10 * s}, want: want{Seen: 1, NotDue: 1}},
		"delay, session gone":          {version: "5", delay: 5 * s, lives: []bond{{1 * s, 9 * s, EndLost, false}, {11 * s, 90 * s, EndGoodbye, true}}, seen: []time.Duration{11 * s}, want: want{Seen: 1}},
		"delay, back too late":         {version: "5", delay: 5 * s, lives: []bond{{1 * s, 9 * s, EndLost, false}, {19 * s, 90 * s, EndGoodbye, false}}, seen: []time.Duration{14 * s}, want: want{Seen: 1, Due: 1, Received: 1}},
		"delay, back too late, none":   {version: "5", delay: 5 * s, lives: []bond{{1 * s, 9 * s, EndLost, false}, {19 * s, 90 * s, EndGoodbye, false}}, want: want{Due: 1, Missing: 1}},
		"delay, not waited for":        {version: "5", delay: 5 * s, lives: []bond{{1 * s, 9 * s, EndLost, false}}, seen: []time.Duration{10 * s}, want: want{Seen: 1, Due: 1, Missing: 1, Early: 1}},
		"3.1.1 has no delay":           {version: "3.1.1", delay: 5 * s, lives: []bond{{1 * s, 9 * s, EndLost, false}, {11 * s, 90 * s, EndGoodbye, false}}, want: want{Due: 1, Missing: 1}},
		"delay, a takeover is no end":  {version: "5", delay: 5 * s, lives: []bond{{1 * s, 9 * s, EndPower, false}, {18 * s, 90 * s, EndGoodbye, false}}},
		"never connected and yet seen": {seen: []time.Duration{9 * s}, want: want{Seen: 1, Early: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			p := leaving(tt.version, tt.delay)
			l := New(p, 7, NewRecorder(p, 0, 0))
			l.Observable(0, true, false)
			l.Away(tt.away)
			for _, b := range tt.lives {
				if b.how == endCall {
					l.WillAccount(0, 1).Tried(b.up, b.down)
					continue
				}
				l.WillAccount(0, 1).Up(!b.fresh, false, b.up-time.Millisecond, b.up)
				l.WillAccount(0, 1).Down(b.how, b.up+s, b.down, 10*s)
			}
			for _, at := range tt.seen {
				l.See(sim.Sighting{Stamp: sim.Stamp{Run: 7, Stream: sim.WillStream, Device: 1}, At: at})
			}
			got := l.Close(end, s)
			if d := cmp.Diff(tt.want, got.Wills[0].WillTotals, cmpopts.EquateEmpty()); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
			if got.All.Phantom+got.Foreign > 0 {
				t.Errorf("wills count as messages: %+v", got.All)
			}
		})
	}
}

// The account of connections travels like the others, and once.
func TestD1_7_WillAccountsTravel(t *testing.T) {
	p := leaving("5", 0)
	a := NewAccounts(p, 1, 2)
	a.WillAccount(0, 1).Tried(time.Second, 2*time.Second)
	a.WillAccount(0, 1).Tried(3*time.Second, 4*time.Second) // one with the call before
	a.WillAccount(0, 1).Up(true, false, 5*time.Second, 6*time.Second)
	a.WillAccount(0, 1).Down(EndLost, 7*time.Second, 9*time.Second, 1500*time.Millisecond)
	a.WillAccount(0, 1).Up(false, true, 10*time.Second, 11*time.Second)
	l := New(p, 7, NewRecorder(p, 0, 0))
	l.Afar(2)
	l.Observable(0, true, false)
	var pieces []byte
	if err := a.Pack(func(b []byte) error { pieces = append(pieces, b...); return nil }); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := l.Merge(pieces); err != nil {
			t.Fatal(err)
		}
	}
	want := []life{
		{called: 1000, from: 1000, heard: 1000, to: 4000, end: endCall},
		{called: 5000, from: 6000, heard: 7000, to: 9000, alive: 2, end: EndLost, kept: true},
		{called: 10000, from: 11000, away: true},
	}
	if d := cmp.Diff(want, l.WillAccount(0, 1).lives, cmp.AllowUnexported(life{})); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	for n := range len(pieces) { // cut short anywhere: an error, or what is whole
		_ = New(p, 7, NewRecorder(p, 0, 0)).Merge(pieces[:n])
	}
	w := l.Close(time.Minute, time.Second).Wills[0]
	if _, state := w.By(0); state != WillAbsent || w.Absent != 1 { // of the other shard
		t.Errorf("device 0: %v, %d absent", state, w.Absent)
	}
	if _, state := w.By(1); state != WillKnown || w.Due != 1 {
		t.Errorf("device 1: %v, %+v", state, w.WillTotals)
	}
}

// Within a limit counts from when a will is due, with its delay.
func TestD1_7_WillsWithinALimit(t *testing.T) {
	const s = time.Second
	p := leaving("5", 5*s)
	l := New(p, 7, NewRecorder(p, 0, 0))
	l.Observable(0, true, false)
	for o, end := range []time.Duration{9 * s, 80 * s} {
		l.WillAccount(0, sim.Ordinal(o)).Up(true, false, s, s)
		l.WillAccount(0, sim.Ordinal(o)).Down(EndLost, 2*s, end, 10*s)
	}
	l.See(sim.Sighting{Stamp: sim.Stamp{Run: 7, Stream: sim.WillStream, Device: 0}, At: 17 * s})
	w := l.Close(90*s, s).Wills[0]
	for _, tt := range []struct {
		o               sim.Ordinal
		limit           time.Duration
		late, unsettled uint64
	}{{0, 3 * s, 0, 0}, {0, 3*s - time.Millisecond, 1, 0}, {1, 4 * s, 1, 0}, {1, 5 * s, 0, 1}} {
		late, unknown, unsettled := w.Within(tt.o, tt.limit, func(_ sim.Instant, took time.Duration) time.Duration { return took })
		if late != tt.late || unsettled != tt.unsettled || unknown != 0 {
			t.Errorf("device %d within %v: %d late, %d unknown, %d unsettled", tt.o, tt.limit, late, unknown, unsettled)
		}
	}
}
