package ledger

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// journeysPlan claims something of the journeys of fleet "a", and nothing of those of fleet "b".
func journeysPlan(n int) *sim.Plan {
	p := accountsPlan()
	p.Fleets[0].Count = n
	p.Checks = []sim.Check{{
		Kind: sim.CheckState, Select: &sim.Selection{Fleet: "a", All: true}, Journey: sim.JourneyConnecting, State: sim.StateConnected,
	}}
	return p
}

func connecting() *sim.JourneySpec { return &sim.Journeys()[0] }

// told is a way through a journey as a test writes it down: every journey is the list of its states.
type told struct {
	journeys [][]sim.State
	gone     int
	at       sim.State
}

func (w *told) ended() bool {
	if len(w.journeys) == 0 {
		return true
	}
	last := w.journeys[len(w.journeys)-1]
	return isEnd(last[len(last)-1])
}

func isEnd(s sim.State) bool { return s != sim.StateWaiting && s != sim.StateCalling }

func (w *told) enter(s sim.State) {
	switch {
	case !w.ended():
		i := len(w.journeys) - 1
		if w.at != s {
			w.journeys[i] = append(w.journeys[i], s)
		}
	case !isEnd(s):
		w.journeys = append(w.journeys, []sim.State{s})
	}
	w.at = s
}

// flow is what a settlement should say of all of them.
func flow(ways []*told, missing int) string {
	began, open, gone := 0, 0, 0
	devices, journeys, times, passages := map[sim.State]int{}, map[sim.State]int{}, map[sim.State]int{}, map[[2]sim.State]int{}
	for _, w := range ways {
		began += len(w.journeys)
		gone += w.gone
		if !w.ended() {
			open++
		}
		if w.at != "" {
			devices[w.at]++
		}
		for _, j := range w.journeys {
			met := map[sim.State]bool{}
			from := sim.State("")
			for _, s := range j {
				times[s]++
				met[s] = true
				passages[[2]sim.State{from, s}]++
				from = s
			}
			for s := range met {
				journeys[s]++
			}
		}
	}
	text := fmt.Sprint("began ", began, " open ", open, " gone ", gone, " missing ", missing)
	for _, s := range connecting().States {
		text += fmt.Sprintf("; %s %d %d %d", s.Name, journeys[s.Name], times[s.Name], devices[s.Name])
	}
	return text + fmt.Sprint(passages)
}

func flowText(f *Flow) string {
	text := fmt.Sprint("began ", f.Began, " open ", f.Open, " gone ", f.Gone, " missing ", f.Missing)
	passages := map[[2]sim.State]int{}
	for _, s := range f.States {
		text += fmt.Sprintf("; %s %d %d %d", s.State, s.Journeys, s.Times, s.Devices)
	}
	for _, w := range f.Passages {
		passages[[2]sim.State{w.From, w.To}] += int(w.Times)
	}
	return text + fmt.Sprint(passages)
}

// Whatever happens in whatever order, to devices whose worker may be lost, and taken over or not, and however
// often and in whatever order the pieces of the accounts come: each journey is counted once, in one end state,
// as open, or as simulator-lost.
func TestEachJourneyIsCountedOnce(t *testing.T) {
	const devices, shards = 40, 5
	seen := map[string]int{}
	for seed := range uint64(400) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		p, spec := journeysPlan(devices), connecting()
		p.Fleets[0].Count = devices
		far := New(p, 1, NewRecorder(p, 0, 0))
		far.Afar(shards)
		lost, taken := [shards]bool{}, [shards]bool{}
		var parts, before [shards]*Accounts
		for k := range parts {
			lost[k], taken[k] = rnd.IntN(8) == 0, rnd.IntN(4) == 0
			parts[k], before[k] = NewAccounts(p, k, shards), NewAccounts(p, k, shards)
			if taken[k] {
				far.TakeOver(Takeover{Shard: k, Shards: shards, Epoch: 1, Begin: 10 * time.Second})
			}
		}
		var ways []*told
		missing := 0
		for o := range devices {
			k := o % shards
			w := new(told)
			replay := new(told) // what the process that takes over knows of the one before
			for n := range rnd.IntN(30) {
				s := spec.States[rnd.IntN(len(spec.States))].Name
				if taken[k] && n < 10 { // what the first process did goes with it, but for what follows from the plan
					before[k].Journey(0, 0, sim.Ordinal(o)).Enter(spec, spec.Number(s), sim.Instant(n))
					if rnd.IntN(2) == 0 {
						parts[k].Journey(0, 0, sim.Ordinal(o)).Resume(spec, spec.Number(s))
						if replay.enter(s); isEnd(s) {
							w.at = s
						} else {
							w.at = ""
						}
					}
					continue
				}
				w.enter(s)
				parts[k].Journey(0, 0, sim.Ordinal(o)).Enter(spec, spec.Number(s), sim.Instant(n))
			}
			w.gone = len(replay.journeys)
			if lost[k] {
				missing++
				continue
			}
			ways = append(ways, w)
		}
		var pieces [][]byte
		for k, part := range parts {
			if lost[k] {
				continue
			}
			for range 1 + rnd.IntN(2) {
				if err := part.Pack(func(b []byte) error { pieces = append(pieces, bytes.Clone(b)); return nil }); err != nil {
					t.Fatal(err)
				}
			}
		}
		rnd.Shuffle(len(pieces), func(i, j int) { pieces[i], pieces[j] = pieces[j], pieces[i] })
		for _, b := range pieces {
			if err := far.Merge(b); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		s := far.Close(time.Hour, 0)
		if len(s.Flows) != 1 {
			t.Fatalf("%d flows", len(s.Flows))
		}
		f := &s.Flows[0]
		if got, want := flowText(f), flow(ways, missing); got != want {
			t.Fatalf("seed %d:\n got %s\nwant %s", seed, got, want)
		}
		ended, present := uint64(0), 0
		for _, at := range f.States {
			if at.End {
				ended += at.Journeys
				if at.Journeys != at.Times {
					t.Fatalf("seed %d: %d journeys came %d times into the end %q", seed, at.Journeys, at.Times, at.State)
				}
			}
			in, unknown, kept := s.In(0, sim.JourneyConnecting, at.State, func(sim.Ordinal) bool { return true })
			if in != at.Devices || unknown != f.Missing || !kept {
				t.Fatalf("seed %d: %d devices in %q, want %d", seed, in, at.State, at.Devices)
			}
			present += in
		}
		if f.Began != f.Open+ended || present+f.Missing > devices {
			t.Fatalf("seed %d: began %d, open %d, ended %d; %d devices", seed, f.Began, f.Open, ended, present)
		}
		seen["ended"] += int(ended)
		seen["open"] += int(f.Open)
		seen["gone"] += int(f.Gone)
		seen["missing"] += f.Missing
	}
	for _, what := range []string{"ended", "open", "gone", "missing"} {
		if seen[what] < 1000 {
			t.Errorf("too little happened: %v", seen)
		}
	}
}

// The account of one device, step by step.
func TestJourney(t *testing.T) {
	var a Journey
	spec := connecting()
	for i, c := range []struct {
		state sim.State
		at    sim.Instant
		cause sim.Instant
		first bool
	}{
		{sim.StateSwitchedOff, 1, 0, false}, // no journey was under way
		{sim.StateWaiting, 10, 10, true},
		{sim.StateWaiting, 11, 10, false}, // it is there
		{sim.StateCalling, 20, 10, true},
		{sim.StateWaiting, 30, 10, false},
		{sim.StateCalling, 40, 10, false},
		{sim.StateConnected, 50, 10, true},
		{sim.StateConnected, 55, 0, false}, // over
		{sim.StateWaiting, 60, 60, true},
		{sim.StateGaveUp, 70, 60, true},
		{sim.StateSwitchedOff, 80, 0, false}, // an end after the end: where the device is now
	} {
		cause, first := a.Enter(spec, spec.Number(c.state), c.at)
		if cause != c.cause || first != c.first {
			t.Errorf("step %d, %s: cause %d, first %t", i, c.state, cause, first)
		}
	}
	if a.began != 2 || a.open || int(a.state-1) != spec.Number(sim.StateSwitchedOff) {
		t.Errorf("%+v", a)
	}
}

// What another process began is simulator-lost, once, and what begins afterwards is this one's.
func TestResumedJourney(t *testing.T) {
	var a Journey
	spec := connecting()
	resume := func(s sim.State) { a.Resume(spec, spec.Number(s)) }
	resume(sim.StateWaiting)
	resume(sim.StateCalling)
	if a.gone != 1 || a.state != 0 {
		t.Errorf("%+v", a)
	}
	resume(sim.StateSwitchedOff)
	if a.gone != 1 || int(a.state-1) != spec.Number(sim.StateSwitchedOff) {
		t.Errorf("%+v", a)
	}
	resume(sim.StateWaiting)
	if cause, first := a.Enter(spec, spec.Number(sim.StateWaiting), 9); a.gone != 2 || cause != 9 || !first || a.began != 1 {
		t.Errorf("%+v", a)
	}
}

// A fleet of which nothing is claimed has no accounts of journeys, and its ledger is as large as before.
func TestJourneysCostNothingWithoutAClaim(t *testing.T) {
	p := journeysPlan(10)
	l, a := New(p, 1, NewRecorder(p, 0, 0)), NewAccounts(p, 0, 1)
	if l.journeys[1] != nil || a.journeys[1] != nil || len(l.journeys[0]) != 1 || len(a.journeys[0]) != 1 {
		t.Errorf("%d and %d journeys, %d and %d", len(l.journeys[0]), len(a.journeys[0]), len(l.journeys[1]), len(a.journeys[1]))
	}
	if s := l.Close(time.Hour, 0); len(s.Flows) != 1 || s.Flows[0].Fleet != 0 {
		t.Errorf("%+v", s.Flows)
	}
	if size := reflect.TypeFor[Journey]().Size(); size > 56 {
		t.Errorf("a journey takes %d bytes", size)
	}
}

func TestDamagedJourneys(t *testing.T) {
	p, spec := journeysPlan(4), connecting()
	pack := func(change func(*Journey)) error {
		a := NewAccounts(p, 0, 1)
		j := a.Journey(0, 0, 2)
		for at, s := range []sim.State{sim.StateWaiting, sim.StateCalling, sim.StateConnected, sim.StateWaiting} {
			j.Enter(spec, spec.Number(s), sim.Instant(at))
		}
		change(j)
		return a.Pack(New(p, 1, NewRecorder(p, 0, 0)).Merge)
	}
	if err := pack(func(*Journey) {}); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Journey){
		"a journey more":              func(a *Journey) { a.began++ },
		"no state":                    func(a *Journey) { a.state = 0 },
		"a state too many":            func(a *Journey) { a.state = uint8(len(spec.States) + 1) },
		"open in an end":              func(a *Journey) { a.state = uint8(spec.Number(sim.StateConnected) + 1) },
		"closed in no end":            func(a *Journey) { a.open = false },
		"a passage more":              func(a *Journey) { a.passed[1].times++ },
		"more first times than times": func(a *Journey) { a.passed[1].first++ },
		"a passage twice":             func(a *Journey) { a.passed = append(a.passed, a.passed[0]) },
		"a passage of no state":       func(a *Journey) { a.passed[0].way = sim.NewPassage(9, 9) },
		"a passage that never was":    func(a *Journey) { a.passed = append(a.passed, passing{way: sim.NewPassage(0, 4)}) },
		"out of an end": func(a *Journey) {
			a.passed = append(a.passed, passing{sim.NewPassage(2, 4), 1, 1})
		},
	} {
		if err := pack(change); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
