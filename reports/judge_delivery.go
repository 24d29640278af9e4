package reports

import (
	"fmt"

	"github.com/myriad-iot/myriad/sim"
)

// delivered judges the share of the measured messages that came due which somebody at the far end
// saw in time.
func (j *judge) delivered(f *Finding) {
	due, within := uint64(0), uint64(0)
	unknown := ""
	for i := range j.in.Plan.Fleets {
		n := j.in.Fold.measuredDue(i)
		if n > 0 && unknown == "" {
			unknown = unobserved(j.in, i)
		}
		due += n
		for _, d := range j.in.Ledger.within {
			if d.limit == f.Check.Within.D() {
				within += d.fleets[i]
			}
		}
	}
	switch {
	case due == 0:
		f.skip("no measured message came due")
	case unknown != "":
		f.skip("%s", unknown)
	default:
		// A phantom may be among those seen in time: it must not make up for a message.
		within -= min(within, j.in.Ledger.All.Phantom)
		f.claim(percent(within, due), f.Check.Bound, 100*f.Check.Limit, int64(due), "%")
		f.Note = fmt.Sprintf("%d of %d within %s", within, due, f.Check.Within)
	}
}

func percent(part, whole uint64) float64 { return 100 * float64(part) / float64(whole) }

// lost judges how many messages, or what share of those sent, are lost. Messages that may be on
// their way are not lost; when the claim stands or falls with them, nobody can say.
func (j *judge) lost(f *Finding) {
	c := f.Check
	var lost, unsettled, sent uint64
	unknown := ""
	for i := range j.in.Ledger.Fleets {
		t := &j.in.Ledger.Fleets[i]
		n := uint64(0)
		for q := range t.SentQoS {
			if c.QoS == nil || int(*c.QoS) == q {
				n += t.SentQoS[q]
				lost += t.LostQoS[q]
				unsettled += t.UnsettledQoS[q]
			}
		}
		sent += n
		if n > 0 && unknown == "" {
			unknown = unobserved(j.in, i)
		}
	}
	if sent == 0 {
		f.skip("no such message was sent")
		return
	}
	of := func(n uint64) float64 {
		if c.Share {
			return percent(n, sent)
		}
		return float64(n)
	}
	limit, unit := c.Limit, "messages"
	if c.Share {
		limit, unit = 100*c.Limit, "%"
	}
	f.claim(of(lost), c.Bound, limit, int64(sent), unit)
	if lost > 0 {
		f.Note = j.offenders(fmt.Sprintf("%d lost", lost), func(d *DeviceLedger) bool { return d.Lost != "" })
	}
	certain := f.Verdict == Failed && f.Value > limit && c.Bound != sim.Above && c.Bound != sim.AtLeast
	switch {
	case unknown != "" && !certain:
		f.skip("%s", unknown)
	case unsettled > 0 && c.Bound.Holds(of(lost+unsettled), limit) != (f.Verdict == Passed) && !certain:
		f.skip("%d messages were acknowledged so late that they may still be on their way", unsettled)
	case unsettled > 0:
		f.Note = join(f.Note, fmt.Sprintf("%d unsettled", unsettled))
	}
}

// none judges that no message is duplicated, or reordered.
func (j *judge) none(f *Finding, count uint64, what string) {
	unknown := ""
	for i := range j.in.Ledger.Fleets {
		if j.in.Ledger.Fleets[i].Sent > 0 && unknown == "" {
			unknown = unobserved(j.in, i)
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
		f.Note = j.offenders(fmt.Sprintf("%d %s", count, what), func(d *DeviceLedger) bool {
			if what == "duplicated" {
				return d.Duplicated > 0
			}
			return d.Reordered > 0
		})
	}
}

// offenders appends up to three of the listed devices that match.
func (j *judge) offenders(text string, match func(*DeviceLedger) bool) string {
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
