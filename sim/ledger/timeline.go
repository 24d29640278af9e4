package ledger

import (
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// PhaseSpan is a named part of the timeline.
type PhaseSpan struct {
	Name  string      `json:"name"`
	Start sim.Instant `json:"start_ns"`
	End   sim.Instant `json:"end_ns"`
}

// Settling is the result of a settle act.
type Settling struct {
	In     time.Duration // how long it took; if it did not settle, how long it waited
	Reason string        // why it did not settle; empty if it did
}
