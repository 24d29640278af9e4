package ledger

import "github.com/myriad-iot/myriad/sim"

// Takeover says that a worker took a shard over, because the worker that carried it was lost.
type Takeover struct {
	Shard   int         `json:"shard"`
	Shards  int         `json:"shards"`  // in all
	Epoch   uint32      `json:"epoch"`   // how many workers carried it before
	Begin   sim.Instant `json:"begin"`   // the new worker reports what comes due from then on
	Devices int         `json:"devices"` // in the shard
}

// TakeOver says that another process carries the devices of a shard from an instant on, which must lie in the
// future. What is known of their earlier messages is removed, and later sightings of them are ignored: the
// account of what was sent was lost with the process that carried them, so those messages are neither lost
// nor delivered nor duplicated. [Ledger.Afar] must have been called. Any goroutine may call it.
func (l *Ledger) TakeOver(t Takeover) {
	for i := range l.shards {
		l.shards[i].mu.Lock()
		defer l.shards[i].mu.Unlock()
	}
	l.taken[t.Shard] = Micro(t.Begin)
	for fleet := range l.receipts {
		for n := range l.receipts[fleet] {
			if !l.streams[fleet][n].Telemetry() {
				continue // the account of commands is here: nothing of it was lost
			}
			for o := t.Shard; o < len(l.receipts[fleet][n]); o += t.Shards {
				l.receipts[fleet][n][o] = receipt{}
			}
		}
		for limit := range l.limits {
			if l.limits[limit].answers {
				continue
			}
			for i := range l.shards {
				l.shards[i].within[l.place(sim.Ordinal(t.Shard), fleet, limit)] = 0
			}
		}
	}
}

// beforeTakeover reports whether a message came due before its device was taken over: the lost process had
// to send it, and nobody knows whether it did.
func (l *Ledger) beforeTakeover(s *sim.Stamp) bool {
	return len(l.taken) > 0 && s.Due < l.taken[int(s.Device)%len(l.taken)]
}
