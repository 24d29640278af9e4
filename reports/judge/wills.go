package judge

import (
	"fmt"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// willDevices are the wills of the devices that a claim is about.
type willDevices struct {
	ledger.WillTotals
	watched                  bool // a probe subscribes to them
	devices, absent          int  // those that are known, and those that are not
	late, unknown, unsettled uint64
	named                    hearing // names the worst
}

// willDevices adds up the wills of a selection. within is the limit.
func (j *judge) willDevices(s *sim.Selection, within time.Duration, bad func(late uint64, t *ledger.WillTotals) uint64) (w willDevices) {
	fleet := j.in.Plan.FleetIndex(s.Fleet)
	for i := range j.in.Ledger.Wills {
		of := &j.in.Ledger.Wills[i]
		if of.Fleet != fleet {
			continue
		}
		w.watched = true
		f, key := &j.in.Plan.Fleets[fleet], sim.FleetKey(j.in.Plan.Seed, fleet)
		for o := range sim.Ordinal(f.Count) {
			if _, in := s.Rank(key, o, f.Count); !in {
				continue
			}
			t, state := of.By(o)
			w.Add(&t)
			switch state {
			case ledger.WillNever:
				continue
			case ledger.WillAbsent:
				w.absent++
				continue
			case ledger.WillKnown:
			}
			w.devices++
			late, unknown, unsettled := of.Within(o, within, j.less)
			w.late, w.unknown, w.unsettled = w.late+late, w.unknown+unknown, w.unsettled+unsettled
			w.named.name(f.DeviceID(o), bad(late, &t))
		}
	}
	return w
}

// open says what is not known.
func (w *willDevices) open() string {
	text := many("", w.absent, "of %d devices it is not known how their connections ended")
	text = many(text, w.unknown, "%d wills were due while the probe was not connected")
	return many(text, w.unsettled, "%d wills still had time when the run ended")
}

// wills judges that each will that was due came once and in time, and none came while its device was connected.
func (j *judge) wills(f *finding) {
	w := j.willDevices(f.Check.Select, f.Check.Within.D(), func(late uint64, t *ledger.WillTotals) uint64 { return late + t.Twice + t.Early })
	bad := w.late + w.Twice + w.Early
	switch {
	case !w.watched:
		f.skip("nobody sees the wills of %q arrive at this target", f.Check.Select.Fleet)
		return
	case bad == 0 && w.Due == 0:
		f.skip("no will was due: %s", join(j.noneDue(f.Check.Select), w.open()))
		return
	}
	f.claim(float64(bad), sim.Exactly, 0, int64(w.Due), "wills")
	if bad > 0 {
		f.Note = fmt.Sprintf("of %d due, %d came too late or not at all; %d came twice, %d too early: %s", w.Due, w.late, w.Twice, w.Early, w.named.worst())
	}
	if w.NotDue > 0 {
		f.Note = join(f.Note, fmt.Sprintf("%d wills came that must not be published", w.NotDue))
	}
	switch open := w.open(); {
	case bad == 0 && open != "":
		f.skip("%s", open)
	case open != "":
		f.Note = join(f.Note, open)
	}
}

// noneDue says why no will of a selection was due.
func (j *judge) noneDue(s *sim.Selection) string {
	why := "no connection of the devices ended without a DISCONNECT"
	if i := j.in.Plan.FleetIndex(s.Fleet); i >= 0 {
		if w := j.in.Plan.Fleets[i].Data().MQTT.Will; w != nil && w.Delay > 0 {
			why += ", or they were back before the delay of their wills was over"
		}
	}
	return why
}

// noWill judges that no will is published.
func (j *judge) noWill(f *finding) {
	w := j.willDevices(f.Check.Select, 0, func(_ uint64, t *ledger.WillTotals) uint64 { return t.Seen })
	switch {
	case !w.watched:
		f.skip("nobody sees the wills of %q arrive at this target", f.Check.Select.Fleet)
		return
	case w.Seen == 0 && w.devices == 0:
		f.skip("no device of %q was connected", f.Check.Select.Fleet)
		return
	}
	f.claim(float64(w.Seen), sim.Exactly, 0, int64(w.devices), "wills")
	if w.Seen > 0 {
		f.Note = fmt.Sprintf("%d wills were published: %s", w.Seen, w.named.worst())
		return
	}
	for i := range j.in.Ledger.Outages {
		// What came while its process stood still, it read afterwards: a few wills overflow no queue.
		if o := &j.in.Ledger.Outages[i]; !o.Stalled || o.Lasts {
			f.skip("the probe was not connected all the time: %s", o.String())
			return
		}
	}
}
