package ledger

import (
	"slices"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// The last moment counts at which the nodes held as many as ever, but for one a node; and only when all told.
func TestHeld(t *testing.T) {
	h := Held{Nodes: []string{"broker 1", "broker 2", "broker 3"}}
	for i, step := range []struct {
		each, want []int
		at         time.Duration
	}{
		{[]int{0, 0, 0}, []int{0, 0, 0}, 0},
		{[]int{10, 10, 10}, []int{10, 10, 10}, 1},
		{[]int{12, 12}, []int{10, 10, 10}, 1},
		{[]int{10, 8, 9}, []int{10, 8, 9}, 3},
		{[]int{9, 8, 9}, []int{10, 8, 9}, 3},
		{[]int{11, 11, 11}, []int{11, 11, 11}, 5},
		{[]int{10, 0, 10}, []int{11, 11, 11}, 5},
	} {
		h.Add(sim.Instant(i)*time.Second, step.each)
		if !slices.Equal(h.Each, step.want) || h.At != sim.Instant(step.at*time.Second) {
			t.Errorf("after %v: %v at %v, want %v at %ds", step.each, h.Each, h.At, step.want, step.at)
		}
	}
}
