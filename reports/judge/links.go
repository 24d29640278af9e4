package judge

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
)

// connected judges when a selection was complete and stayed so. The clock starts with the first
// act that connects devices of the fleet, or with a phase's edge; the selection has to stay
// complete until the time is up, or the run.
func (j *judge) connected(f *finding) {
	c := f.Check
	if c.Select == nil {
		f.skip("it names no devices")
		return
	}
	who, ok := crowdOf(j.in.Plan, c.Select)
	if !ok || who.need == 0 {
		f.skip("it selects no device")
		return
	}
	from, why := j.reference(c)
	if why != "" {
		f.skip("%s", why)
		return
	}
	within := c.Within.D()
	a := who.attend(j.changes, min(from+within, j.in.Length))
	if !a.full { // how long did it take, then?
		a = who.attend(j.changes, j.in.Length)
	}
	took := j.in.Length - from
	if a.full {
		took = max(0, a.since-from)
	}
	if f.claim(j.less(from, took).Seconds(), sim.AtMost, within.Seconds(), int64(who.need), "s"); !a.full && took >= within {
		f.claim(math.Inf(1), sim.AtMost, within.Seconds(), int64(who.need), "s")
	}
	word := "by the devices' own word: " + j.in.Plan.Fleets[who.fleet].Data().Word()
	if f.Note = word; a.full {
		return
	}
	f.Verdict, f.Margin = reports.Failed, min(f.Margin, 0)
	var names []string
	for _, o := range a.missing {
		names = append(names, j.in.Plan.Fleets[who.fleet].DeviceID(o))
	}
	f.Note = join(fmt.Sprintf("%d of %d were connected at the end; missing: %s",
		a.present, who.need, list(names, len(who.member)-a.present)), word)
	f.early(took, within)
}

// early turns a failure into "not judged" if the run ended before the time of the claim was over.
func (f *finding) early(took, within time.Duration) {
	if took < within {
		f.Verdict = reports.NotJudged
		f.Note = join("the run ended before the time was up", f.Note)
	}
}

// list names some of n things.
func list(names []string, n int) string {
	text := strings.Join(names, ", ")
	if n > len(names) {
		text += ", ..."
	}
	return text
}

// reference is when a connected check's clock starts, or why it never did.
func (j *judge) reference(c *sim.Check) (sim.Instant, string) {
	if c.Phase != "" {
		p, ok := j.phase(c.Phase)
		if !ok {
			return 0, fmt.Sprintf("phase %q never began", c.Phase)
		}
		if c.Edge == "ends" {
			return p.End, ""
		}
		return p.Start, ""
	}
	for i := range j.in.Plan.Acts {
		a := &j.in.Plan.Acts[i]
		if at, began := j.starts[i]; began && a.Kind == sim.ActConnect && a.Select != nil && a.Select.Fleet == c.Select.Fleet {
			return at, ""
		}
	}
	return 0, fmt.Sprintf("fleet %q was never told to connect", c.Select.Fleet)
}

// peak is the most in any second, and the first such second, as the view has it.
func (j *judge) peak(perSecond map[int]uint64) (peak uint64, at int) {
	for _, second := range slices.Sorted(maps.Keys(perSecond)) {
		n := perSecond[second]
		if n -= min(n, j.movedIn(second, perSecond)); n > peak {
			peak, at = n, second
		}
	}
	return peak, at
}

// movedIn is how many of a second our own side may have moved into it: what was due so long before it as we were late,
// at the rate of the second before or after. Of the second before, what we moved is missing: its rate is that of the
// rest. If we were late by a second or longer, that may be all.
func (j *judge) movedIn(second int, perSecond map[int]uint64) uint64 {
	n, own := perSecond[second], max(j.own(second), j.own(second-1)) // what it held up comes in the next second too
	if own <= 0 || n == 0 {
		return 0
	}
	*j.blamed = max(*j.blamed, own)
	if own >= time.Second {
		return n
	}
	late := own.Seconds()
	rate := max(float64(perSecond[second-1])/(1-late), float64(perSecond[second+1]))
	return min(n, uint64(math.Ceil(rate*late)))
}

// reconnects judges the device that connected again most often. Coming back on purpose counts.
func (j *judge) reconnects(f *finding) {
	type device struct {
		fleet uint16
		o     sim.Ordinal
	}
	ups := make(map[device]int)
	worst, most := device{}, 0
	for _, l := range j.changes {
		if !l.Up {
			continue
		}
		d := device{l.Fleet, l.Device}
		if ups[d] > 0 && j.view != asItWas && j.broken(int(l.At/time.Second)) {
			continue
		}
		if ups[d]++; ups[d] > most {
			worst, most = d, ups[d]
		}
	}
	if most == 0 {
		f.skip("no device connected")
		return
	}
	f.claim(float64(most-1), f.Check.Bound, f.Check.Limit, int64(len(ups)), "times")
	if most > 1 {
		f.Note = "most often: " + j.in.Plan.Fleets[worst.fleet].DeviceID(worst.o)
	}
}

// recovery judges how long after a phase's start everything had recovered.
func (j *judge) recovery(f *finding) {
	p, ok := j.phase(f.Check.Phase)
	if !ok {
		f.skip("phase %q never began", f.Check.Phase)
		return
	}
	if !j.in.Fold.Gauged() {
		f.skip("the backlog was not recorded")
		return
	}
	within := f.Check.Within.D()
	horizon := min(j.in.Length, max(p.End, p.Start+within))
	at, why := j.wellSince(p.Start, horizon)
	if why != "" && horizon < j.in.Length { // how long did it take, then?
		at, why = j.wellSince(p.Start, j.in.Length)
	}
	took := at - p.Start
	if why != "" {
		took = j.in.Length - p.Start
	}
	f.claim(j.less(p.Start, took).Seconds(), sim.AtMost, within.Seconds(), int64(j.in.Plan.Devices()), "s")
	if why != "" {
		f.Verdict, f.Margin, f.Note = reports.Failed, min(f.Margin, 0), why
		f.early(took, within)
	}
}

// recovered is when everything had recovered after a phase began or, without a phase, after the last
// disturbance of the story.
func (j *judge) recovered(phase string) (at sim.Instant, why string) {
	from := sim.Instant(-1)
	if p, ok := j.phase(phase); ok {
		from = p.Start
	} else if phase != "" {
		return 0, fmt.Sprintf("phase %q never began", phase)
	}
	for i := range j.in.Plan.Acts {
		switch j.in.Plan.Acts[i].Kind {
		case sim.ActFault, sim.ActOffline:
			if start, began := j.starts[i]; began && phase == "" {
				from = max(from, start)
			}
		case sim.ActConnect, sim.ActComeBack, sim.ActTask, sim.ActLoad, sim.ActSettle, sim.ActWait,
			sim.ActPhaseStart, sim.ActPhaseEnd, sim.ActPhaseRun: // break nothing
		}
	}
	if from < 0 {
		return 0, "nothing was broken, so nothing recovered"
	}
	at, why = j.wellSince(from, j.in.Length)
	if why != "" {
		return 0, "it never recovered: " + why
	}
	return at, ""
}

// undisturbed is when the first of what still goes on at an instant began, or the instant.
func (j *judge) undisturbed(at sim.Instant) sim.Instant {
	first := at
	for i := range j.in.Plan.Acts {
		a := &j.in.Plan.Acts[i]
		start, began := j.starts[i]
		if (a.Kind == sim.ActFault || a.Kind == sim.ActOffline) && began && start < at && start+a.Lasts().D() > at {
			first = min(first, start)
		}
	}
	return first
}

// backlogBefore is how many seconds before a reference show what backlog is normal.
const backlogBefore = 10

// wellSince is the first instant after from since when, without a break until the horizon, every
// device that should be connected was, and the backlog was no greater than in the ten seconds
// before from, or before what still went on then, plus a tolerance: one message for each hundred devices, and at least five. The
// backlog is known at the end of each second.
func (j *judge) wellSince(from, horizon sim.Instant) (at sim.Instant, why string) {
	since, absent, missing := compliance(j.in.Plan, j.changes, duties(j.in.Plan, j.starts), horizon)
	if absent > 0 {
		return 0, fmt.Sprintf("%d devices were not connected: %s", absent, list(missing, absent))
	}
	at = max(from, since)
	backlog := make(map[int]int64) // at the end of each second
	for i := range j.r.Frames {
		backlog[j.r.Frames[i].Second] += j.r.Frames[i].Backlog
	}
	last := int(from/time.Second) - 1 // the last second that ended by then
	normal := int64(0)
	quiet := int(j.undisturbed(from)/time.Second) - 1
	for n := max(0, quiet-backlogBefore+1); n <= quiet; n++ {
		normal = max(normal, backlog[n])
	}
	allowed := normal + max(5, int64(j.in.Plan.Devices()/100))
	end := int(horizon/time.Second) - 1
	for n := last + 1; n <= end; n++ {
		if backlog[n] <= allowed {
			continue
		}
		if n == end {
			return 0, fmt.Sprintf("the backlog was %d messages, %d before", backlog[n], normal)
		}
		at = max(at, sim.Instant(n+2)*time.Second) // the end of the next second, the first good one
	}
	return at, ""
}
