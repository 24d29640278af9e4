package ledger

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// wills are what is known of the wills of a fleet's devices while a run goes.
type wills struct {
	accounts []WillAccount // nil: the devices leave none that can be told apart
	merged   Set           // those that came from other processes
	seen     [][]uint32    // when a will of each device came, in ms; the lock of the device's shard guards it
}

const maxWillsSeen = 1 << 12 // of a device

func newWills(f *sim.Fleet) wills {
	w := wills{accounts: newWillAccounts(f, f.Count)}
	if w.accounts != nil {
		w.seen = make([][]uint32, f.Count)
	}
	return w
}

func (w *wills) see(o sim.Ordinal, at sim.Instant) {
	if len(w.seen[o]) < maxWillsSeen {
		w.seen[o] = append(w.seen[o], millis(at))
	}
}

// WillTotals is the account of wills. A will is due when a connection ended without a DISCONNECT, and, where it has a
// delay, the device did not come back before. Due = Received + Missing + Unsettled + Unknown.
type WillTotals struct {
	Seen      uint64 `json:"published"`           // that came, for whatever reason
	Due       uint64 `json:"due"`                 //
	Received  uint64 `json:"received"`            // of those due
	Missing   uint64 `json:"missing"`             // due, and never came
	Unsettled uint64 `json:"unsettled,omitempty"` // due, and the broker still had time for it when the run ended
	Unknown   uint64 `json:"unknown,omitempty"`   // due, never came, and the probe may not have been there
	Twice     uint64 `json:"twice"`               // copies beyond the first
	Early     uint64 `json:"too_early"`           // came while the connection was up, or before the delay was over
	NotDue    uint64 `json:"not_due"`             // came after a DISCONNECT, or although the device came back before the delay was over
}

// Add adds u to t.
func (t *WillTotals) Add(u *WillTotals) {
	t.Seen, t.Due, t.Received, t.Missing = t.Seen+u.Seen, t.Due+u.Due, t.Received+u.Received, t.Missing+u.Missing
	t.Unsettled, t.Unknown = t.Unsettled+u.Unsettled, t.Unknown+u.Unknown
	t.Twice, t.Early, t.NotDue = t.Twice+u.Twice, t.Early+u.Early, t.NotDue+u.NotDue
}

// Wills is the account of the wills of a fleet.
type Wills struct {
	Fleet   int `json:"-"`                   // in the plan
	Devices int `json:"devices"`             // that were connected at some time
	Absent  int `json:"not_known,omitempty"` // devices whose account never came, or is not whole
	WillTotals

	by  []estate // by ordinal
	end float64
}

// estate is what became of the wills of one device.
type estate struct {
	WillTotals
	state WillState
	due   []bequest
}

// WillState is how much is known of a device.
type WillState uint8

const (
	WillNever  WillState = iota // it was never connected
	WillKnown                   // of each connection it is known how it ended
	WillAbsent                  // its account never came, is not whole, or another process took the device over
)

// bequest is a will that is due: at is when, and seen when it came, in ms; a negative seen is never.
type bequest struct {
	at, seen float64
	unknown  bool
}

// By is the account of one device, and how much is known of it.
func (w *Wills) By(o sim.Ordinal) (WillTotals, WillState) { return w.by[o].WillTotals, w.by[o].state }

// Within says of one device's wills how many came too late or not at all within a limit of when they were due, and of
// how many that is not known: because nobody watched, or because the run ended before.
//
// less takes off what our own side may have added to a time that began at an instant.
func (w *Wills) Within(o sim.Ordinal, limit time.Duration, less func(sim.Instant, time.Duration) time.Duration) (late, unknown, unsettled uint64) {
	most := inMillis(limit)
	for _, d := range w.by[o].due {
		switch {
		case d.seen >= 0 && d.seen-d.at > most && less(fromMillis(d.at), fromMillis(d.seen-d.at)) > limit:
			late++
		case d.seen >= 0:
		case d.unknown:
			unknown++
		case w.end-d.at <= most:
			unsettled++
		default:
			late++
		}
	}
	return late, unknown, unsettled
}

// closeWills judges the wills of all fleets.
func (l *Ledger) closeWills(end sim.Instant, grace time.Duration) (all []Wills) {
	for fleet := range l.plan.Fleets {
		from := &l.wills[fleet]
		if from.accounts == nil || !l.observed[fleet].Received { // nobody watches
			continue
		}
		f := &l.plan.Fleets[fleet]
		w := Wills{Fleet: fleet, by: make([]estate, f.Count), end: inMillis(end)}
		law := lawOf(l.plan, f, inMillis(end), inMillis(grace))
		for o := range sim.Ordinal(f.Count) {
			t, e := &from.accounts[o], &w.by[o]
			e.Seen = uint64(len(from.seen[o]))
			switch {
			case l.afar && !from.merged.Has(uint32(o)), t.blurred, len(from.seen[o]) == maxWillsSeen, l.wasTaken(o):
				e.state = WillAbsent
				w.Absent++
			case len(t.lives) == 0 && e.Seen == 0:
			default:
				e.state = WillKnown
				if slices.ContainsFunc(t.lives, func(c life) bool { return c.end != endCall }) {
					w.Devices++
				}
				law.judge(e, t.lives, from.seen[o], l.watch.absences(o))
			}
			w.Add(&e.WillTotals)
		}
		all = append(all, w)
	}
	return all
}

func fromMillis(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }

func inMillis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// wasTaken reports whether the device went from one process to another.
func (l *Ledger) wasTaken(o sim.Ordinal) bool {
	return len(l.taken) > 0 && l.taken[int(o)%len(l.taken)] > 0
}

// absences are when nobody watched the endpoint of a device, in ms.
func (w *watch) absences(o sim.Ordinal) (list []window) {
	for _, outage := range w.outages() {
		if sim.Spread(o, outage.Of) != outage.Index {
			continue
		}
		to := inMillis(outage.To)
		if outage.Lasts {
			to = math.Inf(1)
		}
		list = append(list, window{from: inMillis(outage.From), to: to})
	}
	return list
}

// law says when a broker has to publish the wills of a fleet. Times are in ms.
type law struct {
	delay      float64 // the will's, and at most the session's: both end then (MQTT 5 section 3.1.3.2.2)
	cut        bool    // links of the fleet are broken without a word to either side: no end is known at once
	end, grace float64
}

func lawOf(p *sim.Plan, f *sim.Fleet, end, grace float64) law {
	b := f.Data()
	w := law{end: end, grace: grace}
	if b.Version == "5" {
		w.delay = 1000 * math.Ceil(min(b.MQTT.Will.Delay, b.Session).D().Seconds())
	}
	for i := range p.Acts {
		if a := &p.Acts[i]; a.Fault != nil && a.Fault.Site == sim.SiteLink && a.Select != nil && a.Select.Fleet == f.Name {
			w.cut = true
		}
	}
	return w
}

// duty is whether a will has to be published after a connection.
type duty uint8

const (
	never  duty = iota // it must not be
	always             // it must
	either             // both are right, or nobody can tell
)

// legacy is what one connection leaves.
type legacy struct {
	duty
	life
	from float64 // the will may come no sooner
	at   float64 // it is due
	by   float64 // it must have been published
	held bool    // a never that is so because the device came back within the delay
	seen float64 // -1: not yet
}

const (
	willSkew  = 50.0   // ms by which two processes may see one instant apart
	willBlur  = 1000.0 // ms that may pass between what a broker does and when a device, or the probe, notices
	willsLate = 3      // halves of the keep-alive after which a broker closes a silent connection (3.1.2.10)
)

// judge enters what became of the wills of one device: lives are its connections in their order, seen when a will came.
func (w law) judge(e *estate, lives []life, seen []uint32, absences []window) {
	list := make([]legacy, len(lives))
	for i := range lives {
		list[i] = w.legacy(lives, i)
	}
	slices.Sort(seen)
	free := make([]bool, len(seen)) // sightings that belong to no connection yet
	for i := range free {
		free[i] = true
	}
	// The last connection first: each takes the first will that may be its own. So a will that never came costs one,
	// and not the punctuality of all that follow.
	for _, kind := range []duty{always, either} {
		for i := len(list) - 1; i >= 0; i-- {
			if g := &list[i]; g.duty == kind && g.end != endCall {
				g.take(seen, free)
			}
		}
	}
	for i := range list {
		g := &list[i]
		if g.duty != always {
			continue
		}
		e.Due++
		d := bequest{at: g.at, seen: g.seen}
		switch {
		case g.seen >= 0:
			e.Received++
		case slices.ContainsFunc(absences, func(o window) bool { return o.from <= min(g.by, w.end)+willBlur && o.to >= g.from-willBlur }):
			d.unknown = true
			e.Unknown++
		case g.by+w.grace > w.end:
			e.Unsettled++
		default:
			e.Missing++
		}
		e.due = append(e.due, d)
	}
	for i, at := range seen {
		if free[i] {
			blame(e, list, float64(at))
		}
	}
}

func (g *legacy) take(seen []uint32, free []bool) {
	i, _ := slices.BinarySearchFunc(seen, g.from, func(at uint32, from float64) int { return cmp.Compare(float64(at), from) })
	for ; i < len(seen); i++ {
		if free[i] {
			free[i], g.seen = false, float64(seen[i])
			return
		}
	}
}

// legacy says what connection i leaves.
func (w law) legacy(lives []life, i int) legacy {
	c := lives[i]
	g := legacy{life: c, seen: -1, duty: either}
	sure, to := float64(c.heard), float64(c.to)
	silent := c.end == EndSilent || c.end == EndPower || w.cut
	switch {
	case (c.end == EndGoodbye || c.end == EndPower) && !w.cut:
		sure = to
	case c.end == EndLost && !w.cut: // who reads learns at once that a connection was closed
		sure = max(sure, to-willBlur)
	}
	noticed := to // by the broker, at the latest
	if silent {
		noticed = math.Inf(1)
		if c.alive > 0 {
			noticed = to + float64(c.alive)*1000*willsLate/2
		}
	}
	back, called := math.Inf(1), math.Inf(1) // when the device was, and may have been, connected again
	for k := i + 1; k < len(lives) && math.IsInf(back, 1); k++ {
		called = min(called, float64(lives[k].called))
		if lives[k].end != endCall {
			back = float64(lives[k].from)
		}
	}
	g.from, g.at, g.by = sure+w.delay-willSkew, to+w.delay, min(noticed, back)+w.delay
	switch {
	case c.end == EndGoodbye:
		g.duty, g.from = never, to-willSkew
	case c.end == EndOpen || c.end == EndOther || c.end == endCall || c.away:
	case w.delay == 0:
		g.duty = always
	case back <= sure+w.delay: // before the broker could publish it
		if next := lives[i+1]; next.end != endCall && next.kept {
			g.duty, g.held = never, true
		}
	case called > noticed+w.delay+willBlur:
		g.duty = always
	}
	g.life.heard = uint32(sure)
	return g
}

// blame counts a will that no connection was to leave at that time.
func blame(e *estate, list []legacy, at float64) {
	i, _ := slices.BinarySearchFunc(list, at, func(g legacy, at float64) int { return cmp.Compare(float64(g.life.from), at) })
	for i--; i >= 0; i-- {
		g := &list[i]
		began, sure := float64(g.life.from), float64(g.life.heard)
		switch {
		case g.end == endCall && at <= float64(g.to)+willBlur, g.end == EndOther || g.away:
			return // there may have been a connection
		case g.end == endCall || at <= began+willBlur && i > 0:
			continue // it is of the connection before, whose will comes when the device is back
		case g.end == EndOpen, at < sure-willSkew, g.duty == always && at < g.from:
			e.Early++
		case g.duty == never && (g.held || at >= float64(g.to)-willSkew):
			e.NotDue++
		case g.duty == always:
			e.Twice++
		}
		return
	}
	e.Early++ // before any connection
}
