package reports

import (
	"cmp"
	"slices"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// SessionResult is the account of the sessions of a fleet at its broker.
type SessionResult struct {
	Fleet       string           `json:"fleet"`
	Devices     int              `json:"devices"`             // that were connected at some time
	Connections uint64           `json:"connections"`         //
	Present     uint64           `json:"session_present"`     // at which the broker still had the session
	TakenOver   uint64           `json:"taken_over"`          // ended because another client took the session: those that the broker said, and those that were seen
	Ended       []ledger.Parting `json:"ended,omitempty"`     // by the broker, the most frequent way first
	Taken       []TakenSession   `json:"taken,omitempty"`     // devices that were taken over, or held two sessions, the most frequent first
	Absent      int              `json:"not_known,omitempty"` // devices whose account never came
}

// TakenSession is a device whose session another client took while the device was connected, or shared.
type TakenSession struct {
	Device   string      `json:"device"`
	By       []string    `json:"by,omitempty"`          // who else shows its identity, as far as the plan says
	Told     int         `json:"told"`                  // how often the broker said so: a DISCONNECT with 0x8E
	Seen     int         `json:"seen,omitempty"`        // how often it did not say why it closed the connection, and one of By was connected at that moment
	First    sim.Instant `json:"first_ns"`              // when it was told first; 0 if never
	Last     sim.Instant `json:"last_ns"`               //
	Together sim.Instant `json:"together_ns,omitempty"` // the longest that it and one of By were connected at once, if longer than [AtOnce]
	Ordinal  sim.Ordinal `json:"-"`
}

// Times is how often the device was taken over.
func (t *TakenSession) Times() int { return t.Told + t.Seen }

// AtOnce is how long two connections with one identity may last at once: until the broker has closed the older one,
// and its client has read so.
const AtOnce = 3 * time.Second

// A connection that ended without a reason was taken over if another client with its identity was accepted so shortly
// before its end, or after it: the two ends of a takeover are two connections, which two goroutines read.
const (
	takenBefore = time.Second
	takenAfter  = 100 * time.Millisecond
)

// who is a device of a plan.
type who struct {
	fleet int
	o     sim.Ordinal
}

func (w who) name(p *sim.Plan) string { return p.Fleets[w.fleet].DeviceID(w.o) }

// sharing are those of a plan that show the identity of another: each device with its copies, by each of them.
func sharing(p *sim.Plan) map[who][]who {
	families := make(map[who][]who)
	for i := range p.Fleets {
		c := p.Fleets[i].Copies
		if c == nil {
			continue
		}
		for o, of := range c.Which {
			one := who{int(c.Fleet), of}
			if families[one] == nil {
				families[one] = []who{one}
			}
			families[one] = append(families[one], who{i, sim.Ordinal(o)})
		}
	}
	all := make(map[who][]who)
	for _, family := range families {
		for _, w := range family {
			all[w] = family
		}
	}
	return all
}

// encounter is what is seen of a device whose identity others show.
type encounter struct {
	met      int         // ends of its connections at the moment when another was accepted
	together sim.Instant // the longest that it was connected and another too
}

// encounters watches connections that share an identity come and go.
func encounters(families map[who][]who, changes []ledger.LinkChange, end sim.Instant) map[who]encounter {
	of := make(map[who][]ledger.LinkChange)
	for _, l := range changes {
		if w := (who{int(l.Fleet), l.Device}); families[w] != nil {
			of[w] = append(of[w], l)
		}
	}
	seen := make(map[who]encounter)
	for w, family := range families {
		var e encounter
		for _, other := range family {
			if other == w {
				continue
			}
			for i, l := range of[w] {
				if l.Up {
					e.together = max(e.together, shared(l.At, until(of[w], i, end), of[other], end))
					continue
				}
				e.met += btoi(slices.ContainsFunc(of[other], func(k ledger.LinkChange) bool {
					return k.Up && k.At >= l.At-takenBefore && k.At <= l.At+takenAfter
				}))
			}
		}
		seen[w] = e
	}
	return seen
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// until is the end of the connection that begins with the i-th change.
func until(list []ledger.LinkChange, i int, end sim.Instant) sim.Instant {
	for _, l := range list[i+1:] {
		if !l.Up {
			return l.At
		}
	}
	return end
}

// shared is the longest part of [from, to) in which another was connected.
func shared(from, to sim.Instant, other []ledger.LinkChange, end sim.Instant) (longest sim.Instant) {
	for i, l := range other {
		if l.Up {
			longest = max(longest, min(to, until(other, i, end))-max(from, l.At))
		}
	}
	return longest
}

// sessionResults are the accounts of the fleets' sessions.
func sessionResults(in *Input) []SessionResult {
	if len(in.Ledger.Sessions) == 0 {
		return nil
	}
	families := sharing(in.Plan)
	met := encounters(families, in.Fold.Links(max(in.Length, 1)), in.Length)
	var list []SessionResult
	for i := range in.Ledger.Sessions {
		from := &in.Ledger.Sessions[i]
		if from.Devices+from.Absent == 0 {
			continue // nobody keeps it, or nobody was there
		}
		f := &in.Plan.Fleets[from.Fleet]
		s := SessionResult{
			Fleet: f.Name, Devices: from.Devices, Connections: from.Connections, Present: from.Present, TakenOver: from.TakenOver,
			Ended: from.Ended, Absent: from.Absent,
		}
		for o := range sim.Ordinal(f.Count) {
			a, known := from.By(o)
			w := who{from.Fleet, o}
			e := met[w]
			t := TakenSession{Ordinal: o}
			if !known {
				continue
			}
			t.Told, t.First, t.Last = a.Ended(sim.TakenOver)
			wordless, _, _ := a.Ended(sim.Wordless)
			t.Seen = min(wordless, max(0, e.met-t.Told))
			if e.together > AtOnce {
				t.Together = e.together
			}
			if t.Times() == 0 && t.Together == 0 {
				continue
			}
			t.Device = f.DeviceID(o)
			for _, other := range families[w] {
				if other != w {
					t.By = append(t.By, other.name(in.Plan))
				}
			}
			s.TakenOver += uint64(t.Seen)
			s.Taken = append(s.Taken, t)
		}
		slices.SortStableFunc(s.Taken, func(a, b TakenSession) int { return cmp.Compare(b.Times(), a.Times()) })
		list = append(list, s)
	}
	return list
}
