package ledger

import (
	"cmp"
	"slices"

	"github.com/myriad-iot/myriad/sim"
)

// ErrorStat counts one class of failed operations. Two of the same class may be added in any order.
type ErrorStat struct {
	Op      sim.Op        `json:"op"`
	Outcome sim.Outcome   `json:"outcome"`
	Count   uint64        `json:"count"`
	WarmUp  uint64        `json:"warm_up,omitempty"` // the part of Count that came due during the warm-up
	First   sim.Instant   `json:"first_ns"`
	Last    sim.Instant   `json:"last_ns"`
	Devices []FirstFailed `json:"devices"` // the first five
}

// FirstFailed is when a device failed in a class for the first time.
type FirstFailed struct {
	At     sim.Instant `json:"at_ns"`
	Fleet  uint16      `json:"fleet"`
	Device sim.Ordinal `json:"device"`
}

const firstFailures = 5

type errorKey struct {
	op      sim.Op
	outcome sim.Outcome
}

// Errors holds error classes by operation and outcome.
type Errors map[errorKey]*ErrorStat

func (t Errors) record(s *sim.Sample, measured bool) {
	k := errorKey{s.Op, s.Outcome}
	e := t[k]
	if e == nil {
		e = &ErrorStat{
			Op: s.Op, Outcome: s.Outcome, First: s.Done, Last: s.Done,
			Devices: make([]FirstFailed, 0, firstFailures+1),
		}
		t[k] = e
	}
	e.Count++
	if !measured {
		e.WarmUp++
	}
	e.First, e.Last = min(e.First, s.Done), max(e.Last, s.Done)
	e.failed(FirstFailed{s.Done, s.Fleet, s.Device})
}

// failed keeps the five devices with the earliest first failures.
func (e *ErrorStat) failed(f FirstFailed) {
	if len(e.Devices) == firstFailures && compareFailed(f, e.Devices[firstFailures-1]) >= 0 {
		return
	}
	same := func(g FirstFailed) bool { return g.Fleet == f.Fleet && g.Device == f.Device }
	if i := slices.IndexFunc(e.Devices, same); i >= 0 {
		if e.Devices[i].At <= f.At {
			return
		}
		e.Devices = slices.Delete(e.Devices, i, i+1)
	}
	i, _ := slices.BinarySearchFunc(e.Devices, f, compareFailed)
	e.Devices = slices.Insert(e.Devices, i, f)
	e.Devices = e.Devices[:min(len(e.Devices), firstFailures)]
}

func compareFailed(a, b FirstFailed) int {
	return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Fleet, b.Fleet), cmp.Compare(a.Device, b.Device))
}

// Add adds a class to what the table has of it, in any order. It keeps no part of s.
func (t Errors) Add(s *ErrorStat) {
	k := errorKey{s.Op, s.Outcome}
	e := t[k]
	if e == nil {
		c := *s
		c.Devices = slices.Clone(s.Devices)
		t[k] = &c
		return
	}
	e.Count += s.Count
	e.WarmUp += s.WarmUp
	e.First, e.Last = min(e.First, s.First), max(e.Last, s.Last)
	for _, f := range s.Devices {
		e.failed(f)
	}
}

// List is the table in a fixed order.
func (t Errors) List() []ErrorStat {
	list := make([]ErrorStat, 0, len(t))
	for _, e := range t {
		list = append(list, *e)
	}
	slices.SortFunc(list, func(a, b ErrorStat) int {
		return cmp.Or(cmp.Compare(a.Op, b.Op), cmp.Compare(a.Outcome, b.Outcome))
	})
	return list
}
