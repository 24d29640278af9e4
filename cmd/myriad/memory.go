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
)

// collectByLoad gives the heap room while the process allocates, and takes it back afterwards, until
// ctx ends. GOGC in the environment overrules it.
func collectByLoad(ctx context.Context) {
	if os.Getenv("GOGC") != "" {
		return
	}
	heap := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"}}
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	percent := loose // nearly everything begins with a ramp
	debug.SetGCPercent(percent)
	metrics.Read(heap)
	last, calm := heap[0].Value.Uint64(), 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		metrics.Read(heap)
		now := heap[0].Value.Uint64()
		if now-last > heap[1].Value.Uint64()*tight/100/4 { // the tight room would be full within four seconds
			calm = 0
		} else {
			calm++
		}
		last = now
		switch {
		case percent == loose && calm == 3:
			percent = tight
			debug.SetGCPercent(percent)
			debug.FreeOSMemory()
		case percent == tight && calm == 0:
			percent = loose
			debug.SetGCPercent(percent)
		}
	}
}
