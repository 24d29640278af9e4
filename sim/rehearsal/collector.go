package rehearsal

import (
	"math"

	"github.com/myriad-iot/myriad/sim/fleet"
)

// The garbage collector's percentages. A fleet's memory is nearly all live and hot paths do not allocate, so in steady
// state a collection is rare whatever the setting, and room for garbage would be a third of every device. Making devices
// and connecting them does allocate: there a collection per tenth of the heap costs a third of the CPU, for its stacks
// are most of what it has to look at.
const (
	tight = 10
	loose = 100
)

const (
	// mostRoom is for what is thrown away while devices are made and connect, in bytes. It is little (two kilobytes a
	// device) beside what a collection costs. A full worker does not fill this much while it connects, so it collects
	// nothing then. A heap that is larger than that may double.
	mostRoom = 160 << 20

	// leastRoom is what even a process with a few devices throws away before it collects, in bytes. Snapshots and beats
	// fill a tenth of its small heap every second or two, and there may be many such processes.
	leastRoom = 4 << 20
)

// phase is what a process is doing, as far as its garbage depends on it.
type phase uint8

const (
	busy   phase = iota // it makes devices, or they connect, or it allocates much for another reason
	steady              // nearly all of its memory stays in use
)

// memory is what is known of memory, in bytes.
type memory struct {
	base uint64 // what the collector has to look at: the live heap, stacks and globals
	mine uint64 // all that this process has of the system
	free uint64 // what this machine, or the control group, has left for all; 0: not known
	due  uint64 // of free, what the run will need for devices and sockets that are not there yet

	// nth is this process's place, from 0, among so many of Myriad's on this machine, which share what is free.
	nth, processes int
}

// share is this process's part of what is free and not needed for anything else.
func (m *memory) share() uint64 { return (m.free - min(m.free, m.due)) / uint64(max(1, m.processes)) }

// percent is the setting of the collector (GOGC): the next collection comes when so much of the base has been allocated.
// In neither phase is the room more than half of the process's share of what is free, but for leastRoom and the tenth
// of the steady state; where free memory is even less than that, the limit is what keeps it. Processes of one run grow
// alike, so each has a little less room than the one before it: they do not all collect at the same moment.
func (m *memory) percent(p phase) int {
	base := max(m.base, 1)
	room := uint64(leastRoom)
	if p == busy {
		room = max(mostRoom, m.base)
		if m.free > 0 {
			room = min(room, m.share()/2)
		}
		room -= room / 2 * uint64(m.nth) / uint64(max(1, m.processes))
		room = max(room, leastRoom)
	}
	return int(min(math.MaxInt32, max(tight, room*100/base)))
}

// limit is the soft limit of all memory of this process (GOMEMLIMIT): what it has, and its share of what is free. So
// all processes together never take more than there is, however rarely they would collect. What is free is measured
// again and again, and the limit follows. There is none where that is not known.
func (m *memory) limit() int64 {
	if m.free == 0 {
		return math.MaxInt64
	}
	return int64(min(math.MaxInt64, m.mine+m.share()))
}

// observed is what a process has done up to one second.
type observed struct {
	made      bool // its devices are made, or it has none
	devices   fleet.FleetState
	allocated uint64 // in all, bytes
}

// phases tells the phase from what is observed each second.
type phases struct {
	last observed
	calm int // seconds
	wait int // so many calm seconds make the state steady
}

// calmFor is how many seconds of calm make the steady state, of the nth process. Going there costs a full collection and
// the way back of all free memory: a second of CPU and more with 19,000 devices. So each process waits until those before
// it are through. Five of 53 a second took both cores of a machine for 25 s, after a million devices had connected well.
func calmFor(nth int) int { return 3 + 3*nth }

// next returns the phase after a second. A heap whose tight room would be full within ten seconds is busy, and so is a
// fleet of which at least a thousandth has connected, or should have, in this second.
func (p *phases) next(now observed, base uint64) phase {
	moved := abs(now.devices.Wanted-p.last.devices.Wanted) + abs(now.devices.Connected-p.last.devices.Connected)
	allocates := now.allocated-p.last.allocated > max(leastRoom, base*tight/100)/10
	p.last = now
	if !now.made || moved > now.devices.Wanted/1000 || allocates {
		p.calm = 0
	} else {
		p.calm++
	}
	if p.calm < p.wait {
		return busy
	}
	return steady
}

func abs(n int64) int64 { return max(n, -n) }

// remaining is what is left of a run's need of memory when so many of the devices here, which are a fair part of all,
// are connected.
func remaining(need uint64, here fleet.FleetState) uint64 {
	if here.Devices <= 0 {
		return need
	}
	missing := min(max(here.Devices-here.Connected, 0), here.Devices)
	return uint64(float64(need) * float64(missing) / float64(here.Devices))
}
