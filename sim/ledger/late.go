package ledger

import (
	"cmp"
	"encoding/binary"
	"slices"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// late is what a receiver was given of what the broker had retained. It is kept only where a claim asks: about 60
// bytes for each stream of a device, and 12 for each time that it subscribed anew.
type late struct{ got map[sender][]retained }

// retained is one copy: of the connection whose number is in presences.
type retained struct{ life, seq, at uint32 }

func (l *late) hear(s sender, life int, seq uint32, at uint32) {
	if life < 0 {
		return
	}
	if l.got == nil {
		l.got = make(map[sender][]retained)
	}
	l.got[s] = append(l.got[s], retained{uint32(life), seq, at})
}

// Since says when the call began that led to the connection that is up: a broker looks for what it has retained at
// some instant between then and Up.
func (r *Receiver) Since(called sim.Instant) {
	if n := len(r.times); n > 0 && !r.blurred {
		r.times[n-1].called = millis(called)
	}
}

// LateReads is the account of what devices that subscribed after values had been published with RETAIN were given:
// for each time that a device subscribed, the last value of each topic. Due = Got + Late + Stale + Missing + Unsettled +
// Unknown.
type LateReads struct {
	Due       uint64 // had been acknowledged before the device called
	Got       uint64 // that value, or a later one, within the limit
	Late      uint64 // after the limit
	Stale     uint64 // an older value
	Missing   uint64 // none
	Unsettled uint64 // none, and the limit was not over when the device left or the run ended
	Unknown   uint64 // none, and the probe was away meanwhile: the broker may have been another, that had retained nothing
	Twice     uint64 // copies beyond one for each subscription that matches
}

func (r *LateReads) bad() uint64 { return r.Late + r.Stale + r.Missing + r.Twice }

// Reading is a claim's account.
type Reading struct {
	LateReads
	Receivers int      // that something was due to
	Gone      int      // receivers, or senders, whose account never came
	Apart     int      // pairs at different brokers
	Never     int      // devices that never got their subscription
	Worst     []string // at most three receivers
}

// reading is what a claim asks for.
type reading struct {
	from   int
	within time.Duration
}

// readings are the claims of a plan on late subscribers.
func readings(p *sim.Plan) (list []reading) {
	for _, checks := range [][]sim.Check{p.Guards, p.Checks} {
		for i := range checks {
			c := &checks[i]
			if r := (reading{p.FleetIndex(c.From), c.Within.D()}); c.Kind == sim.CheckLate && r.from >= 0 && !slices.Contains(list, r) {
				list = append(list, r)
			}
		}
	}
	return list
}

// keepLate makes receivers keep what brokers had retained, where a claim asks.
func keepLate(p *sim.Plan, list []Receiver) []Receiver {
	if len(readings(p)) > 0 {
		for i := range list {
			list[i].late = new(late)
		}
	}
	return list
}

// Reading is the account of a claim on late subscribers; false if the plan has no such claim.
func (s *Settlement) Reading(from int, within time.Duration) (Reading, bool) {
	r, ok := s.readings[reading{from, within}]
	return r, ok
}

// closeLate judges what late subscribers were given.
func (l *Ledger) closeLate(end sim.Instant) map[reading]Reading {
	all := make(map[reading]Reading)
	for _, ask := range readings(l.plan) {
		var r Reading
		worst := make(map[string]uint64)
		for to := range l.plan.Fleets {
			for o := range l.receivers[to].accounts {
				g := &l.plan.Fleets[to]
				one := LateReads{}
				l.readLate(&r, &one, ask, to, sim.Ordinal(o), inMillis(end))
				if one.Due > 0 {
					r.Receivers++
				}
				if one.bad() > 0 {
					worst[g.DeviceID(sim.Ordinal(o))] = one.bad()
				}
				r.add(&one)
			}
		}
		for name := range worst {
			r.Worst = append(r.Worst, name)
		}
		slices.SortFunc(r.Worst, func(a, b string) int { return cmp.Or(cmp.Compare(worst[b], worst[a]), cmp.Compare(a, b)) })
		r.Worst = r.Worst[:min(3, len(r.Worst))]
		all[ask] = r
	}
	return all
}

func (r *LateReads) add(o *LateReads) {
	r.Due, r.Got, r.Late, r.Stale = r.Due+o.Due, r.Got+o.Got, r.Late+o.Late, r.Stale+o.Stale
	r.Missing, r.Unsettled, r.Unknown, r.Twice = r.Missing+o.Missing, r.Unsettled+o.Unsettled, r.Unknown+o.Unknown, r.Twice+o.Twice
}

// readLate judges one receiver.
func (l *Ledger) readLate(r *Reading, one *LateReads, ask reading, to int, o sim.Ordinal, end float64) {
	f, g := &l.plan.Fleets[ask.from], &l.plan.Fleets[to]
	for n := range l.streams[ask.from] {
		spec := &l.streams[ask.from][n]
		if b := f.Binding(spec.Role); !spec.Telemetry() || b == nil || !b.MQTT.Retain {
			continue
		}
		var which []int64
		for _, s := range g.Data().MQTT.Subscribe {
			sub := subscriptionOf(g, s, o)
			if m := match(sub.filter, f, spec.Topic); sub.group == "" && m != matchNone { // a shared one gets nothing that was retained (5 section 4.8.2)
				which = append(which, m)
			}
		}
		account := &l.receivers[to].accounts[o]
		switch {
		case len(which) == 0:
			continue
		case l.receiverMissing(to, o) || account.blurred:
			r.Gone++
			continue
		case len(account.times) == 0:
			r.Never++
			continue
		}
		for d := range sim.Ordinal(f.Count) {
			matching := 0
			for _, m := range which {
				if m == matchAll || m == int64(d) {
					matching++
				}
			}
			switch {
			case matching == 0:
			case l.missing(ask.from, n, uint32(d)):
				r.Gone++
			case l.apart(f, d, g, o):
				r.Apart++
			default:
				l.readPair(one, ask, account, sim.Stream(n), d, matching, end)
			}
		}
	}
}

// readPair judges what a receiver was given of one sender, each time that it subscribed anew.
func (l *Ledger) readPair(one *LateReads, ask reading, account *Receiver, stream sim.Stream, d sim.Ordinal, matching int, end float64) {
	a := &l.accounts[ask.from][stream][d]
	var got []retained
	if account.late != nil {
		got = account.late.got[senderOf(&sim.Stamp{Fleet: uint16(ask.from), Stream: stream, Device: d})]
	}
	most := inMillis(ask.within)
	for life, t := range account.times {
		if t.kept || t.away {
			continue // it did not subscribe anew, or elsewhere
		}
		called, from := float64(t.called), float64(t.from)
		if t.called == 0 {
			called = from
		}
		last, sentAt, ok := a.lastBefore(called)
		if !ok {
			continue
		}
		one.Due++
		copies, best, stale := 0, -1.0, false
		for _, c := range got {
			switch {
			case int(c.life) != life:
				continue
			case c.seq < last:
				stale = true
			case best < 0:
				best = float64(c.at)
			}
			copies++
		}
		one.Twice += uint64(max(0, copies-matching))
		until := min(end, float64(t.sure))
		if t.open {
			until = end
		}
		switch {
		case best >= 0 && best-from > most:
			one.Late++
		case best >= 0:
			one.Got++
		case stale:
			one.Stale++
		case slices.ContainsFunc(l.watch.absences(d), func(o window) bool { return o.from <= from+willBlur && o.to >= sentAt-willBlur }):
			one.Unknown++
		case until-from <= most:
			one.Unsettled++
		default:
			one.Missing++
		}
	}
}

// lastBefore is the last message that was settled for certain before an instant in ms, and when it was sent at the
// earliest; false if there is none.
func (a *Account) lastBefore(ms float64) (seq uint32, sentAt float64, ok bool) {
	c := &a.rest().clock
	settled := &a.acked
	if a.sent[0].spans() > 0 {
		settled = &a.sent[0]
	}
	for i := range c.knots {
		line := c.line(i)
		before := line.first(ms - skew - c.blur - line.slow)
		if before <= uint64(line.lo) {
			continue
		}
		if top, is := settled.floor(uint32(before - 1)); is && top >= line.lo {
			seq, sentAt, ok = top, line.at(top)-c.blur, true
		}
	}
	return seq, sentAt, ok
}

// append writes what was kept, after the presences.
func (l *late) append(b []byte) []byte {
	n := 0
	if l != nil {
		for _, list := range l.got {
			n += len(list)
		}
	}
	b = binary.AppendUvarint(b, uint64(n))
	if n == 0 {
		return b
	}
	for from, list := range l.got {
		for _, c := range list {
			for _, v := range [...]uint64{uint64(from), uint64(c.life), uint64(c.seq), uint64(c.at)} {
				b = binary.AppendUvarint(b, v)
			}
		}
	}
	return b
}

func (r *unpacker) late(in *Receiver) {
	for n := r.number(); n > 0 && !r.bad; n-- {
		from, life, seq, at := sender(r.number()), r.short(), r.short(), r.short()
		if r.bad = r.bad || int(life) >= len(in.times); r.bad {
			return
		}
		if in.late == nil {
			in.late = new(late)
		}
		in.late.hear(from, int(life), seq, at)
	}
}
