package judge

import (
	"fmt"

	"github.com/myriad-iot/myriad/sim"
)

// lateSubscribers judges that who subscribes late gets the last retained value of each topic, once and in time.
func (j *judge) lateSubscribers(f *finding) {
	from := j.in.Plan.FleetIndex(f.Check.From)
	r, _ := j.in.Ledger.Reading(from, f.Check.Within.D())
	bad := r.Late + r.Stale + r.Missing + r.Twice
	open := many("", r.Never, "%d devices never got their subscription")
	open = many(open, r.Gone, neverCame)
	open = many(open, r.Unknown, "%d values were due that the broker may have lost while the probe was away")
	open = many(open, r.Unsettled, "%d values still had time when their receivers left")
	if bad == 0 && r.Due == 0 {
		f.skip("nobody subscribed after %q had published: %s", f.Check.From, join("a value is due if it was acknowledged before the device called", open))
		return
	}
	f.claim(float64(bad), sim.Exactly, 0, int64(r.Due), "values")
	if bad > 0 {
		f.Note = fmt.Sprintf("of %d values due to %d devices, %d never came, %d were old, %d came too late; %d came twice", r.Due, r.Receivers, r.Missing, r.Stale, r.Late, r.Twice)
		for i, name := range r.Worst {
			f.Note += map[bool]string{true: ": ", false: ", "}[i == 0] + name
		}
	}
	open = many(open, r.Apart, atOthers)
	switch {
	case bad == 0 && r.Never+r.Gone > 0, bad == 0 && r.Unknown+r.Unsettled > 0:
		f.skip("%s", open)
	default:
		f.Note = join(f.Note, open)
	}
}
