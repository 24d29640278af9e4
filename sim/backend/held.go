package backend

import (
	"sync"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

const (
	// freezeEdge is how much of a stall may lie before and behind a freeze that the story asked for: a child looks
	// 20 times a second, and comes to its turn some time after SIGCONT.
	freezeEdge = 200 * time.Millisecond
	// leastHeld is the shortest rest of a stall that is told.
	leastHeld = 80 * time.Millisecond
)

// held is the witness of a service's journals that also hears when a process of it did not run. Freezes that the
// story asks for are the story's, and are left out. Its methods may be called from any goroutine.
type held struct {
	sim.Witness
	clock sim.Clock
	of    ledger.Part
	told  func(ledger.Stall) // nil: nobody wants to know

	mu      sync.Mutex
	freezes []freeze
}

// freeze is a time in which the story had frozen the service; to is 0 while it lasts.
type freeze struct{ from, to sim.Instant }

func (h *held) freeze() {
	if h.clock == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.freezes); n == 0 || h.freezes[n-1].to != 0 {
		h.freezes = append(h.freezes, freeze{from: h.clock.Now()})
	}
}

func (h *held) thaw() {
	if h.clock == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.freezes); n > 0 && h.freezes[n-1].to == 0 {
		h.freezes[n-1].to = h.clock.Now()
	}
}

// Stalled implements journal.StallWitness.
func (h *held) Stalled(from, to sim.Instant) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range h.freezes { // by their beginning
		start, end := f.from-freezeEdge, f.to+freezeEdge
		if f.to == 0 {
			end = to
		}
		if start < to && end > from {
			h.tell(from, min(start, to))
			from = end
		}
	}
	h.tell(from, to)
}

func (h *held) tell(from, to sim.Instant) {
	if h.told != nil && to-from >= leastHeld {
		h.told(ledger.Stall{From: from, To: to, Of: h.of})
	}
}
