package judge

import (
	"fmt"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// delivered judges the share of the measured messages that came due which somebody at the far end
// saw in time.
func (j *judge) delivered(f *finding) {
	due, within := uint64(0), uint64(0)
	unknown := ""
	for i := range j.in.Plan.Fleets {
		n := j.in.Fold.MeasuredDue(i)
		if n > 0 && unknown == "" {
			unknown = j.r.Fleets[i].Unobserved
		}
		due += n
	}
	for _, n := range j.in.Ledger.Within(f.Check.Within.D()) {
		within += n
	}
	switch {
	case due == 0:
		f.skip("no measured message came due")
	case unknown != "":
		f.skip("%s", unknown)
	default:
		// A phantom may be among those seen in time: it must not make up for a message.
		within -= min(within, j.in.Ledger.All.Phantom)
		within = min(due, within+j.heldUp(f.Check.Within.D(), sim.OpEndToEnd, sim.OpStorage))
		f.claim(percent(within, due), f.Check.Bound, 100*f.Check.Limit, int64(due), "%")
		f.Note = fmt.Sprintf("%d of %d within %s", within, due, f.Check.Within)
		j.overflow(f, queuesOfProbe, func(n uint64) bool { return f.Check.Bound.Holds(percent(min(due, within+n), due), 100*f.Check.Limit) })
		away := j.in.Ledger.All.Away
		if away > 0 && f.Check.Bound.Holds(percent(min(due, within+away), due), 100*f.Check.Limit) != (f.Verdict == reports.Passed) {
			j.blind(f, "%s: how many of them came in time is not known", j.away(away))
		}
	}
}

func percent(part, whole uint64) float64 { return 100 * float64(part) / float64(whole) }

// away says that so many messages were sent while nobody watched the far end, and when that was.
func (j *judge) away(n uint64) string {
	text := fmt.Sprintf("%d messages were sent while the probe was not connected", n)
	if astray := j.in.Ledger.All.Astray; astray > 0 {
		text = fmt.Sprintf("%d messages were sent where the probe does not listen, %d of them to a server that a redirect named", n, astray)
	}
	if rough := j.in.Ledger.Rough; rough > 0 {
		text += fmt.Sprintf(" (of %d devices only roughly known, because there were so many such times)", rough)
	}
	if len(j.in.Ledger.Outages) == 0 {
		return text
	}
	for i := range j.in.Ledger.Outages {
		if i == 2 {
			return text + " and more)"
		}
		text += map[bool]string{true: " (", false: ", "}[i == 0] + j.in.Ledger.Outages[i].String()
	}
	return text + ")"
}

// lost judges how many messages, or what share, are lost of those that somebody promised to deliver: what was
// acknowledged, or is QoS 0. What was refused or never answered promises nothing. Messages that may be on their way, or that were sent while nobody watched, are not lost; when the claim stands or falls with them,
// nobody can say.
func (j *judge) lost(f *finding) {
	c := f.Check
	var lost, nobody, unsettled, unwatched, sent, promised uint64
	unknown := ""
	for i := range j.in.Ledger.Fleets {
		t := &j.in.Ledger.Fleets[i]
		n := uint64(0)
		if c.Fleet != "" && c.Fleet != j.in.Plan.Fleets[i].Name {
			continue
		}
		for q := range t.SentQoS {
			if c.QoS == nil || int(*c.QoS) == q {
				n += t.SentQoS[q]
				promised += t.Promised(q)
				lost += t.LostQoS[q]
				unsettled += t.UnsettledQoS[q]
				unwatched += t.UnwatchedQoS[q]
			}
		}
		sent += n
		nobody += t.LostNobody
		if n > 0 && unknown == "" {
			unknown = j.r.Fleets[i].Unobserved
		}
	}
	lost = j.lostByThem(lost, func(i int) bool {
		fleet := &j.in.Plan.Fleets[i]
		return (c.Fleet == "" || c.Fleet == fleet.Name) && (c.QoS == nil || fleet.Data().QoS == *c.QoS)
	})
	switch {
	case sent == 0:
		f.skip("no such message was sent")
		return
	case promised == 0:
		f.skip("none of the %d messages sent was acknowledged, so none can be lost", sent)
		return
	}
	of := func(n uint64) float64 {
		if c.Share {
			return percent(n, promised)
		}
		return float64(n)
	}
	limit, unit := c.Limit, "messages"
	if c.Share {
		limit, unit = 100*c.Limit, "%"
	}
	f.claim(of(lost), c.Bound, limit, int64(promised), unit)
	if lost > 0 {
		f.Note = j.offenders(fmt.Sprintf("%d lost", lost), func(d *ledger.Evidence) bool { return d.Lost != "" })
	}
	if nobody > 0 && lost > 0 {
		f.Note = join(f.Note, fmt.Sprintf("of %d lost messages the broker said that nobody subscribes to them", nobody))
	}
	if rest := sent - min(sent, promised); rest > 0 {
		f.Note = join(f.Note, fmt.Sprintf("%d messages sent were never acknowledged and are not counted", rest))
	}
	certain := f.Verdict == reports.Failed && f.Value > limit && c.Bound != sim.Above && c.Bound != sim.AtLeast
	j.overflow(f, queuesOfProbe, func(n uint64) bool { return c.Bound.Holds(of(lost-min(lost, n)), limit) })
	switch {
	case f.Verdict == reports.Invalid:
	case unknown != "" && !certain:
		f.skip("%s", unknown)
	case c.Bound.Holds(of(lost+unsettled+unwatched), limit) == (f.Verdict == reports.Passed) || certain:
		if unsettled > 0 {
			f.Note = join(f.Note, fmt.Sprintf("%d unsettled", unsettled))
		}
		if away := j.in.Ledger.All.Away; away > 0 {
			f.Note = join(f.Note, fmt.Sprintf("%s, %d of them were never seen and are not counted", j.away(away), unwatched))
		}
	case unwatched > 0:
		j.blind(f, "%s, and nobody saw %d of them arrive: whether they are lost is not known", j.away(j.in.Ledger.All.Away), unwatched)
	default:
		f.skip("%d messages were acknowledged so late that they may still be on their way", unsettled)
	}
}

func (j *judge) duplicates(f *finding) { j.none(f, j.r.Messages.Duplicated, "duplicated") }

func (j *judge) order(f *finding) { j.none(f, j.r.Messages.Reordered, "reordered") }

// none judges that no message is duplicated, or reordered.
func (j *judge) none(f *finding, count uint64, what string) {
	unknown := ""
	for i := range j.in.Ledger.Fleets {
		if j.in.Ledger.Fleets[i].Sent > 0 && unknown == "" {
			unknown = j.r.Fleets[i].Unobserved
		}
	}
	delivered := j.r.Messages.Delivered
	switch {
	case count > 0:
	case unknown != "":
		f.skip("%s", unknown)
		return
	case delivered == 0:
		f.skip("no message arrived")
		return
	}
	f.claim(float64(count), sim.Exactly, 0, int64(delivered), "messages")
	if count > 0 {
		f.Note = j.offenders(fmt.Sprintf("%d %s", count, what), func(d *ledger.Evidence) bool {
			if what == "duplicated" {
				return d.Duplicated > 0
			}
			return d.Reordered > 0
		})
	}
}

// offenders appends up to three of the listed devices that match.
func (j *judge) offenders(text string, match func(*ledger.Evidence) bool) string {
	n := 0
	for i := range j.in.Ledger.Devices {
		d := &j.in.Ledger.Devices[i]
		if !match(d) {
			continue
		}
		switch n++; n {
		case 1:
			text += ": " + d.Device
		case 2, 3:
			text += ", " + d.Device
		case 4:
			return text + ", ..."
		}
	}
	return text
}
