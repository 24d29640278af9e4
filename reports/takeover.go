package reports

import (
	"fmt"

	"github.com/myriad-iot/myriad/sim"
)

// Takeover is one shard's going over to another worker, because that which had it was lost.
type Takeover struct {
	Shard   int         `json:"shard"`
	Shards  int         `json:"shards"`  // in all
	Epoch   uint32      `json:"epoch"`   // how many workers had it before
	Begin   sim.Instant `json:"begin"`   // what comes due from then on is the new worker's
	Devices int         `json:"devices"` //
}

// TakeOver says that the devices of a shard are another process's from an instant on, which must lie in
// the future. What is known of their earlier messages is forgotten, and what is yet seen of them ignored:
// the account that says what was sent went with the process that had it, so they are neither lost nor
// delivered, nor duplicated. The ledger must be [Ledger.Afar].
func (l *Ledger) TakeOver(t Takeover) {
	for i := range l.shards {
		l.shards[i].mu.Lock()
		defer l.shards[i].mu.Unlock()
	}
	l.taken[t.Shard] = micro(t.Begin)
	for fleet := range l.receipts {
		for o := t.Shard; o < len(l.receipts[fleet]); o += t.Shards {
			l.receipts[fleet][o] = receipt{}
		}
		for limit := range l.limits {
			for i := range l.shards {
				l.shards[i].within[l.place(sim.Ordinal(t.Shard), fleet, limit)] = 0
			}
		}
	}
}

// another reports whether a message was another process's to send: one that is lost.
func (l *Ledger) another(s *sim.Stamp) bool {
	return len(l.taken) > 0 && s.Due < l.taken[int(s.Device)%len(l.taken)]
}

// takenOver says what went over to other workers, and what is not known because of it.
func takenOver(in *Input) []string {
	if len(in.Taken) == 0 {
		return nil
	}
	devices, first := 0, in.Taken[0].Begin
	for _, t := range in.Taken {
		devices += t.Devices
		first = min(first, t.Begin)
	}
	return []string{fmt.Sprintf("%d devices went over to other workers, from %s on, because theirs were lost: their %d messages "+
		"that were due before are simulator-lost, which is neither lost nor delivered", devices, inSeconds(first.Seconds()), in.Ledger.All.Gone)}
}

// disturbed takes back a failure that the takeover of devices may have caused: it connects them again, all
// at once, and nothing is known of what they did before. The ledger of messages leaves them out, so what it
// says stands.
func (j *judge) disturbed(f *Finding) {
	if len(j.in.Taken) == 0 || f.Verdict != Failed {
		return
	}
	switch f.Check.Kind {
	case sim.CheckDelivered, sim.CheckLost, sim.CheckDuplicates, sim.CheckOrder:
		return
	}
	f.skip("%s", join("it did not hold, and the takeover of devices may have been why", f.Note))
}
