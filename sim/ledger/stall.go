package ledger

import (
	"fmt"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// Stall is a time in which a process of our own did not run: what it should have done then, and what it should
// have noticed, came late. The target is not to blame for that.
type Stall struct {
	_    struct{}    `cbor:",toarray"`
	From sim.Instant `json:"from_ns"`
	To   sim.Instant `json:"to_ns"`
	Of   Part        `json:"of"`
}

// Part is a part of Myriad that has processes of its own.
type Part string

// The parts whose stalls are noticed.
const (
	PartWorker      Part = "a worker"        // carries devices
	PartProbe       Part = "the probe"       // subscribes at the far end
	PartCoordinator Part = "the coordinator" // sends commands and sees their answers
)

// PartEmbedded is a service of the embedded target: the target itself, but Myriad's own.
func PartEmbedded(service string) Part { return Part("the embedded " + service) }

// maxStalls bounds the stalls of a recorder between two snapshots.
const maxStalls = 1000

// String says who and when: "the probe did not run from 2.5s to 3.1s".
func (s *Stall) String() string {
	return fmt.Sprintf("%s did not run from %v to %v", s.Of, s.From.Round(time.Millisecond), s.To.Round(time.Millisecond))
}

// Stall notes that a part of Myriad did not run. What was over before the run began is left out.
func (r *Recorder) Stall(s Stall) {
	if s.From = max(s.From, 0); s.To <= s.From {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.stalls) < maxStalls {
		r.stalls = append(r.stalls, s)
	}
}
