package backend

import (
	"context"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// stalls are what a target told.
type stalls struct {
	mu   sync.Mutex
	list []ledger.Stall
}

func (s *stalls) told(st ledger.Stall) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, st)
}

// longest is the longest stall of a part that began at an instant or later.
func (s *stalls) longest(of ledger.Part, from sim.Instant) (longest time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, st := range s.list {
		if st.Of == of && st.From >= from {
			longest = max(longest, st.To-st.From)
		}
	}
	return longest
}

// A process of the embedded target that something else stops is told, one that the story freezes is not, and what
// stands still at the end is said too.
func TestD1_13_StallsOfTheEmbeddedServices(t *testing.T) {
	tg, clock, all := &Target{Brokers: 1, CoAP: true}, wall{time.Now()}, new(stalls)
	tg.Journal(newLog(), clock)
	tg.Stalls(all.told)
	target(t, tg)
	broker, coap := ledger.PartEmbedded("broker"), ledger.PartEmbedded("coap")
	stop := func(service int, d time.Duration) {
		pid := tg.services[service].members[0].process.Pid()
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		time.Sleep(d)
		if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(300 * time.Millisecond) // both have begun to look
	stop(0, 350*time.Millisecond)
	eventually(t, "the broker's stall is told", func() bool { return all.longest(broker, 0) >= 300*time.Millisecond })
	stop(1, time.Second)
	eventually(t, "the CoAP server's stall is told", func() bool { return all.longest(coap, 0) >= 900*time.Millisecond })

	from := clock.Now()
	h, err := tg.Handle("broker")
	if err != nil {
		t.Fatal(err)
	}
	for _, on := range []bool{true, false} {
		if err := h.Freeze(t.Context(), on); err != nil {
			t.Fatal(err)
		}
		time.Sleep(1500 * time.Millisecond)
	}
	if got := all.longest(broker, from-time.Second); got > time.Second {
		t.Errorf("a freeze of the story was told as a stall of %v", got)
	}

	if got := tg.Fell(); got != nil {
		t.Errorf("%q", got)
	}
	if err := syscall.Kill(tg.services[1].members[0].process.Pid(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it stands still", func() bool { return state(tg.services[1].members[0].process.Pid()) == 'T' })
	if err := tg.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := tg.Fell(); len(got) != 1 || !strings.Contains(got[0], "embedded coap was stopped by something else") {
		t.Errorf("stood still at the end: %q", got)
	}
}

// What of a stall is told beside the freezes of the story.
func TestStallsBesideFreezes(t *testing.T) {
	s := time.Second
	for name, tt := range map[string]struct {
		freezes  []freeze
		from, to sim.Instant
		want     []ledger.Stall
	}{
		"none":             {nil, 2 * s, 3 * s, []ledger.Stall{{From: 2 * s, To: 3 * s}}},
		"short":            {nil, 2 * s, 2*s + leastHeld - 1, nil},
		"the freeze":       {[]freeze{{2 * s, 4 * s}}, 2*s - 50*time.Millisecond, 4*s + 100*time.Millisecond, nil},
		"it lasts":         {[]freeze{{2 * s, 0}}, 2*s - 50*time.Millisecond, 9 * s, nil},
		"long after":       {[]freeze{{2 * s, 4 * s}}, 2 * s, 6 * s, []ledger.Stall{{From: 4*s + freezeEdge, To: 6 * s}}},
		"long before":      {[]freeze{{4 * s, 5 * s}}, 2 * s, 5 * s, []ledger.Stall{{From: 2 * s, To: 4*s - freezeEdge}}},
		"an earlier one":   {[]freeze{{1 * s, 2 * s}, {8 * s, 9 * s}}, 4 * s, 5 * s, []ledger.Stall{{From: 4 * s, To: 5 * s}}},
		"between two":      {[]freeze{{1 * s, 2 * s}, {4 * s, 5 * s}}, 1 * s, 5 * s, []ledger.Stall{{From: 2*s + freezeEdge, To: 4*s - freezeEdge}}},
		"one in its midst": {[]freeze{{4 * s, 5 * s}}, 2 * s, 7 * s, []ledger.Stall{{From: 2 * s, To: 4*s - freezeEdge}, {From: 5*s + freezeEdge, To: 7 * s}}},
	} {
		all := new(stalls)
		h := held{told: all.told, freezes: tt.freezes}
		h.Stalled(tt.from, tt.to)
		if !slices.Equal(all.list, tt.want) {
			t.Errorf("%s: %v, want %v", name, all.list, tt.want)
		}
	}
}
