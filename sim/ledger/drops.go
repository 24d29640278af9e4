package ledger

import "github.com/myriad-iot/myriad/sim"

// Drops is what a broker says of itself: how many messages it dropped because a queue of a subscriber was full.
// It does not say whose, so those of the probe's own queue are among them.
type Drops struct {
	Endpoint string      `json:"endpoint"` // its address
	Before   uint64      `json:"before"`   // what its counter said when the run began
	During   uint64      `json:"during"`   // what was added in the run, as far as the broker has told
	Points   []DropPoint `json:"points,omitempty"`
}

// DropPoint is what a broker's counter had added by an instant.
type DropPoint struct {
	At      sim.Instant `json:"at_ns"`
	Dropped uint64      `json:"dropped"`
}

// Unseen reports whether any message is lost by what is known now. The accounts must have been merged.
func (l *Ledger) Unseen(now, grace sim.Instant) bool {
	for i := range l.shards {
		l.shards[i].mu.Lock()
		defer l.shards[i].mu.Unlock()
	}
	settledBy := now - min(grace, MaxGrace)
	for fleet := range l.accounts {
		for n := range l.accounts[fleet] {
			if !l.streams[fleet][n].Telemetry() {
				continue
			}
			for o := range l.accounts[fleet][n] {
				if l.missing(fleet, n, uint32(o)) {
					continue
				}
				if t := l.judge(fleet, sim.Stream(n), sim.Ordinal(o), settledBy, nil); t.Lost > 0 {
					return true
				}
			}
		}
	}
	return false
}
