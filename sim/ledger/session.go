package ledger

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/myriad-iot/myriad/sim"
)

// Session is the account of one device's sessions at its broker: how often it was connected, how often the broker had
// its session still, and in which ways the broker ended its connections. Only the device's goroutine writes it. It
// costs 32 bytes, and 16 for each way.
type Session struct {
	began, present uint32
	over           []partings
}

// partings is how often connections ended in one way, and when first and last, in ms.
type partings struct {
	how         sim.Farewell
	times       uint32
	first, last uint32
}

// Up says that the device is connected. present: the broker had its session.
func (s *Session) Up(present bool) {
	s.began++
	if present {
		s.present++
	}
}

// Over says that the peer ended the connection, or seems to have, at an instant.
func (s *Session) Over(how sim.Farewell, at sim.Instant) {
	i := slices.IndexFunc(s.over, func(p partings) bool { return p.how == how })
	if i < 0 {
		i = len(s.over)
		s.over = append(s.over, partings{how: how, first: millis(at)})
	}
	s.over[i].times++
	s.over[i].last = millis(at)
}

// Connections is how often the device was connected.
func (s *Session) Connections() int { return int(s.began) }

// Ended is how often the device's connections ended in a way, and when first and last.
func (s *Session) Ended(how sim.Farewell) (times int, first, last sim.Instant) {
	for _, p := range s.over {
		if p.how == how {
			return int(p.times), fromMillis(float64(p.first)), fromMillis(float64(p.last))
		}
	}
	return 0, 0, 0
}

// Sessions is the account of the sessions of a fleet, its devices together.
type Sessions struct {
	Fleet       int       `json:"-"`                   // in the plan
	Devices     int       `json:"devices"`             // that were connected at some time
	Connections uint64    `json:"connections"`         //
	Present     uint64    `json:"session_present"`     // the part of them at which the broker still had the session
	TakenOver   uint64    `json:"taken_over"`          // ended by a DISCONNECT with 0x8E
	Ended       []Parting `json:"ended,omitempty"`     // by the broker, in each way, the most frequent first; 0x8E too
	Absent      int       `json:"not_known,omitempty"` // devices whose account never came

	by     []Session // by ordinal
	absent Set       // those whose account never came
}

// Parting is how often connections ended in one way.
type Parting struct {
	Name  string `json:"how"`
	Times uint64 `json:"times"`
}

// By is the account of one device; false if it never came. The caller must not change it.
func (s *Sessions) By(o sim.Ordinal) (*Session, bool) { return &s.by[o], !s.absent.Has(uint32(o)) }

// sessions are the accounts of a fleet's sessions while a run goes.
type sessions struct {
	accounts []Session // nil: its devices have none
	merged   Set       // those that came from other processes
}

// newSessions makes the accounts of so many devices of a fleet; nil if it does not report by MQTT.
func newSessions(f *sim.Fleet, devices int) []Session {
	if b := f.Binding(sim.RoleData); b == nil || b.Channel != sim.ChannelMQTT {
		return nil
	}
	return make([]Session, devices)
}

// Session is the account of a device whose fleet reports by MQTT, nil of any other. Only its goroutine may use it.
func (l *Ledger) Session(fleet int, o sim.Ordinal) *Session {
	return at(l.sessions[fleet].accounts, int(o))
}

// Session is the same of a device that must be one of the shard's.
func (a *Accounts) Session(fleet int, o sim.Ordinal) *Session {
	return at(a.sessions[fleet], int(o)/a.shards)
}

func at(list []Session, i int) *Session {
	if list == nil {
		return nil
	}
	return &list[i]
}

// closeSessions adds up the sessions of all fleets.
func (l *Ledger) closeSessions() (all []Sessions) {
	for fleet := range l.sessions {
		from := &l.sessions[fleet]
		if from.accounts == nil {
			continue
		}
		s := Sessions{Fleet: fleet, by: from.accounts}
		var times [sim.NumFarewells]uint64
		for o := range from.accounts {
			a := &from.accounts[o]
			if l.afar && !from.merged.Has(uint32(o)) {
				s.absent.Add(uint32(o))
				s.Absent++
				continue
			}
			if a.began > 0 {
				s.Devices++
			}
			s.Connections, s.Present = s.Connections+uint64(a.began), s.Present+uint64(a.present)
			for _, p := range a.over {
				times[p.how] += uint64(p.times)
			}
		}
		for how, n := range times {
			if n > 0 {
				s.Ended = append(s.Ended, Parting{Name: sim.Farewell(how).String(), Times: n})
			}
		}
		s.TakenOver = times[sim.TakenOver]
		slices.SortStableFunc(s.Ended, func(a, b Parting) int { return cmp.Compare(b.Times, a.Times) })
		all = append(all, s)
	}
	return all
}

// In a packed account the sessions of a device have a number behind its connections.
const sessionNumber = willAccountNumber + 1

func (s *Session) append(b []byte) []byte {
	for _, n := range [...]uint64{uint64(s.began), uint64(s.present), uint64(len(s.over))} {
		b = binary.AppendUvarint(b, n)
	}
	for _, p := range s.over {
		for _, n := range [...]uint64{uint64(p.how), uint64(p.times), uint64(p.first), uint64(p.last)} {
			b = binary.AppendUvarint(b, n)
		}
	}
	return b
}

// mergeSession enters the account that comes next in r. It is false if that is damaged. One that the ledger has
// already stays as it is.
func (l *Ledger) mergeSession(r *unpacker, fleet, device uint64) bool {
	if fleet >= uint64(len(l.sessions)) || device >= uint64(len(l.sessions[fleet].accounts)) {
		return false
	}
	s := Session{began: r.short(), present: r.short()}
	r.bad = r.bad || s.present > s.began
	for n := r.number(); n > 0 && !r.bad; n-- {
		how := r.number()
		p := partings{how: sim.Farewell(how), times: r.short(), first: r.short(), last: r.short()}
		r.bad = r.bad || how >= uint64(sim.NumFarewells) || p.times == 0 || p.first > p.last ||
			slices.ContainsFunc(s.over, func(q partings) bool { return q.how == p.how })
		s.over = append(s.over, p)
	}
	if r.bad {
		return false
	}
	if l.sessions[fleet].merged.Add(uint32(device)) {
		l.sessions[fleet].accounts[device] = s
	}
	return true
}
