package judge

import (
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
)

// burstLag is the shortest lag of the generator after which it sends so much at once that a short queue may overflow.
const burstLag = 30 * time.Millisecond

// overfilled reports whether our own side may have made a broker's queue for the probe overflow in a second: because the
// probe read too slowly, or because what it should have got evenly came at once. A broker that counts what it drops
// says whether that was so; the embedded one holds its senders back before it drops anything.
func (j *judge) overfilled(n int) bool {
	if j.counted() || j.in.Plan.Target.EmbeddedServes(sim.ChannelMQTT) {
		return false
	}
	late := max(j.late(n, n+1, sim.QuantileMax), j.late(n-1, n, sim.QuantileMax)) // what is late at a second's end comes in the next
	if j.slips[n] == 0 && late < burstLag {
		return false
	}
	*j.blamed = max(*j.blamed, late, j.slips[n])
	return true
}

// counted reports whether every MQTT broker says how many messages it dropped from full queues.
func (j *judge) counted() bool {
	brokers := 1
	for _, s := range sim.Schemes() {
		if s.Channel() == sim.ChannelMQTT {
			brokers = max(brokers, len(j.in.Endpoints[s]))
		}
	}
	return len(j.in.Drops) >= brokers
}

// lostByThem is how many of the lost messages of some fleets are lost though nothing of ours may have been why; all
// of them in a view of the run as it was. When they came due is known by the second: of what nobody saw arrive, less
// what was not lost but never acknowledged, refused or not sent.
func (j *judge) lostByThem(lost uint64, of func(fleet int) bool) uint64 {
	if j.view == asItWas || lost == 0 {
		return lost
	}
	var ours, theirs, others uint64
	for i := range j.in.Plan.Fleets {
		if !of(i) || !j.in.Ledger.Observed[i].Received || j.in.Ledger.Observed[i].Stored {
			continue
		}
		t := &j.in.Ledger.Fleets[i]
		others += t.Unknown + t.Refused + t.Unsent + t.Dropped
		for n := range j.in.Fold.Seconds() {
			left := j.in.LeftIn(sim.OpEndToEnd, n, n+1, i)
			switch {
			case left == reports.Left{}:
			case j.overfilled(n):
				ours += left.Missed + left.Cut // what is left out of a second may be of another
			default:
				theirs += left.Missed
			}
		}
	}
	return max(lost-min(lost, ours), min(lost, theirs-min(theirs, others)))
}
