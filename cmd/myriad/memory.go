package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// The garbage collector's percentages. A fleet's memory is nearly all live and hot paths do not
// allocate, so in steady state a collection is rare whatever the setting, and room for garbage would
// be a third of every device. Connecting does allocate: there a collection per tenth of the heap
// costs a third of the CPU, for its stacks are most of what it has to look at.
const (
	tight = 10
	loose = 100

	// What a connecting fleet throws away is small (two kilobytes a device) beside what a collection costs it:
	// the workers of a fleet grow alike and collect at the same moment, and a machine that is busy is late then.
	// So there is this much room, in bytes, which a full worker does not fill while it connects. Many workers of
	// one machine have less: see roomFor.
	room = 160 << 20
)

// loosened is the percentage while the process allocates, of so many bytes that the last collection left, for so
// much room.
func loosened(live, room uint64) int { return max(loose, int(room*100/max(live, 4<<20))) }

// collectByLoad gives the heap so many bytes of room while the process allocates, and takes it back afterwards, until
// ctx ends. GOGC in the environment overrules it.
func collectByLoad(ctx context.Context, room uint64) {
	if os.Getenv("GOGC") != "" {
		return
	}
	heap := []metrics.Sample{
		{Name: "/gc/heap/allocs:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/heap/live:bytes"},
	}
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	metrics.Read(heap)
	last, calm := heap[0].Value.Uint64(), 0
	percent := loosened(0, room) // nearly everything begins with a ramp
	debug.SetGCPercent(percent)
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		metrics.Read(heap)
		now, there, live := heap[0].Value.Uint64(), heap[1].Value.Uint64(), heap[2].Value.Uint64()
		if now-last > there*tight/100/10 { // the tight room would be full within ten seconds
			calm = 0
		} else {
			calm++
		}
		last = now
		switch {
		case percent != tight && calm == 3:
			percent = tight
			debug.SetGCPercent(percent)
			debug.FreeOSMemory()
		case (calm == 0 || percent != tight) && percent != loosened(live, room): // a collection has counted anew
			percent = loosened(live, room)
			debug.SetGCPercent(percent)
		}
	}
}
