package judge

import (
	"fmt"

	"github.com/myriad-iot/myriad/sim"
)

// admitted judges that the brokers themselves say of each lost message, and of each delivery to the story's own
// subscribers that is lost, that they dropped it. The brokers do not say which: the numbers are compared.
func (j *judge) admitted(f *finding) {
	h, missed, owed, unsettled := j.receivers(nil, "")
	var lost, promised, unwatched uint64
	unknown := ""
	for i := range j.in.Ledger.Fleets {
		t := &j.in.Ledger.Fleets[i]
		for q := range t.SentQoS {
			lost, promised, unsettled = lost+t.LostQoS[q], promised+t.Promised(q), unsettled+t.UnsettledQoS[q]
			unwatched += t.UnwatchedQoS[q]
			if t.SentQoS[q] > 0 && unknown == "" {
				unknown = j.r.Fleets[i].Unobserved
			}
		}
	}
	var dropped uint64
	for i := range j.in.Drops {
		dropped += j.in.Drops[i].During
	}
	all := lost + missed
	switch {
	case promised+owed == 0:
		f.skip("no message was acknowledged, so none can be lost")
		return
	case all > 0 && !j.counted():
		f.skip("%d are lost, and the broker does not tell how many it dropped", all)
		return
	case all > 0 && dropped > all && j.in.Plan.Target.Kind == sim.TargetExternal:
		f.skip("%d are lost, and the broker says that it dropped %d: it dropped for others too, and nobody knows which", all, dropped)
		return
	}
	f.claim(float64(all-min(all, dropped)), sim.Exactly, 0, int64(promised+owed), "messages")
	f.Note = fmt.Sprintf("%d lost, %d of them for the probe and %d for the story's own subscribers; the broker says that it dropped %d",
		all, lost, missed, dropped)
	if !j.counted() {
		f.Note = "none is lost; the broker does not tell how many it dropped"
	}
	switch {
	case f.Value > 0: // whatever else is lost
		return
	case unknown != "":
		f.skip("%s", unknown)
		return
	case unwatched > 0 && all+unsettled+unwatched > dropped:
		j.blind(f, "%s, and nobody saw %d of them arrive: whether they are lost is not known", j.away(j.in.Ledger.All.Away), unwatched)
		return
	}
	if open := join(j.standing(&h), h.open()); h.missing > 0 || all+unsettled > dropped && unsettled > 0 || h.blurred() {
		f.skip("whether more messages are lost is not known: %s", join(open, many("", unsettled, "%d may still have been on their way")))
	}
}
