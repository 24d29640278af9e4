package ledger

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/myriad-iot/myriad/sim"
)

// latePlan is a hearingPlan whose meters retain, and a claim on late subscribers.
func latePlan(meters, boards int, filters ...string) *sim.Plan {
	p := hearingPlan(meters, boards, filters...)
	p.Fleets[0].Bindings[0].MQTT.Retain = true
	p.Checks = []sim.Check{{Kind: sim.CheckLate, From: "meters", Within: sim.Duration(5 * time.Second)}}
	return p
}

// kept is a copy of message seq of a meter that the broker had retained.
func kept(r *Receiver, o sim.Ordinal, seq uint32, at time.Duration) {
	r.Hear(&sim.Stamp{Device: o, Seq: seq}, true, false, at)
}

// What a late subscriber gets: the last value, once and in time. Messages 0 to 59 come at second 1 to 60, the board
// subscribes at 30.5 s: number 29 is due, or a later one.
func TestD1_1_LateSubscribers(t *testing.T) {
	const s, ms = time.Second, time.Millisecond
	for name, tt := range map[string]struct {
		filters []string
		play    func(r *Receiver)
		up      time.Duration
		down    time.Duration
		away    []Outage
		same    bool // the broker had kept the session
		want    LateReads
	}{
		"the last value":       {play: func(r *Receiver) { kept(r, 0, 29, 31*s) }, want: LateReads{Due: 1, Got: 1}},
		"a later one":          {play: func(r *Receiver) { kept(r, 0, 30, 31*s+ms) }, want: LateReads{Due: 1, Got: 1}},
		"an old one":           {play: func(r *Receiver) { kept(r, 0, 28, 31*s) }, want: LateReads{Due: 1, Stale: 1}},
		"an old one, and it":   {play: func(r *Receiver) { kept(r, 0, 28, 31*s); kept(r, 0, 29, 31*s) }, want: LateReads{Due: 1, Got: 1, Twice: 1}},
		"none":                 {want: LateReads{Due: 1, Missing: 1}},
		"not by the live one":  {play: func(r *Receiver) { came(r, 0, 30, false) }, want: LateReads{Due: 1, Missing: 1}},
		"too late":             {play: func(r *Receiver) { kept(r, 0, 29, 36*s) }, want: LateReads{Due: 1, Late: 1}},
		"twice":                {play: func(r *Receiver) { kept(r, 0, 29, 31*s); kept(r, 0, 29, 31*s) }, want: LateReads{Due: 1, Got: 1, Twice: 1}},
		"for two filters":      {filters: []string{"m/#", "m/+"}, play: func(r *Receiver) { kept(r, 0, 29, 31*s); kept(r, 0, 29, 31*s) }, want: LateReads{Due: 1, Got: 1}},
		"none, and soon gone":  {down: 34 * s, want: LateReads{Due: 1, Unsettled: 1}},
		"none, nobody watched": {away: []Outage{{Of: 1, From: 30*s + 100*ms, To: 30*s + 200*ms}}, want: LateReads{Due: 1, Unknown: 1}},
		"nobody watched later": {away: []Outage{{Of: 1, From: 40 * s, To: 41 * s}}, want: LateReads{Due: 1, Missing: 1}},
		"too early":            {up: 900 * ms, want: LateReads{}},
		"a kept session":       {same: true, want: LateReads{}},
		"shared":               {filters: []string{"$share/g/m/#"}, want: LateReads{}},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.filters == nil {
				tt.filters = []string{"m/#"}
			}
			p := latePlan(1, 1, tt.filters...)
			l := New(p, oracleRun, new(tape))
			l.Away(tt.away)
			for seq := range uint32(60) {
				reported(l.Account(0, 0, 0), seq)
			}
			if tt.up == 0 {
				tt.up = 30*s + 500*ms
			}
			if tt.down == 0 {
				tt.down = 90 * s
			}
			r := l.Receiver(1, 0)
			r.Up(tt.same, false, tt.up)
			r.Since(tt.up - 10*ms)
			if tt.play != nil {
				tt.play(r)
			}
			r.Down(true, tt.down)
			got, ok := l.Close(100*s, s).Reading(0, 5*s)
			if d := cmp.Diff(tt.want, got.LateReads); d != "" || !ok {
				t.Errorf("%v, -want +got:\n%s", ok, d)
			}
		})
	}
}

// What receivers were given travels with the rest of their accounts, and is kept only where a claim asks.
func TestD1_1_LateReadsTravel(t *testing.T) {
	p := latePlan(5, 4, "m/#")
	l := shuttled(t, p, 3, rand.New(rand.NewPCG(5, 6)), func(account func(int, sim.Ordinal) *Account, receiver func(sim.Ordinal) *Receiver) {
		for o := range sim.Ordinal(5) {
			for seq := range uint32(10) {
				reported(account(0, o), seq)
			}
		}
		for r := range sim.Ordinal(4) {
			receiver(r).Up(false, false, 20*time.Second)
			receiver(r).Since(19 * time.Second)
			for o := range sim.Ordinal(5) {
				if o != r {
					kept(receiver(r), o, 9, 21*time.Second)
				}
			}
			receiver(r).Down(true, 60*time.Second)
		}
	})
	got, _ := l.Close(100*time.Second, time.Second).Reading(0, 5*time.Second)
	want := Reading{LateReads: LateReads{Due: 20, Got: 16, Missing: 4}, Receivers: 4, Worst: []string{"boards-0", "boards-1", "boards-2"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	p.Checks = nil
	l = New(p, oracleRun, new(tape))
	kept(l.Receiver(1, 0), 0, 1, time.Second)
	if _, asked := l.Close(time.Minute, time.Second).Reading(0, 5*time.Second); asked || l.Receiver(1, 0).late != nil {
		t.Error("it is kept though nobody asks")
	}
}
