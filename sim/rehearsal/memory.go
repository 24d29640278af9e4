package rehearsal

import (
	"context"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/myriad-iot/myriad/sim/fleet"
	"github.com/myriad-iot/myriad/sim/host"
)

// The environment variables by which users set the garbage collector; what they set is left alone.
const (
	envPercent = "GOGC"
	envLimit   = "GOMEMLIMIT"
)

const lookEvery = 10 // seconds between two looks at what memory is free

// collector sets the pace of this process's garbage collector by the phase and the free memory.
type collector struct {
	nth, processes int                                     // see [memory]
	need           uint64                                  // bytes that the whole run takes when all devices are connected
	devices        func() (made bool, of fleet.FleetState) // of this process; nil: it has none
}

// run does so until ctx ends.
func (c *collector) run(ctx context.Context) {
	percentIsMine, limitIsMine := os.Getenv(envPercent) == "", os.Getenv(envLimit) == ""
	p := phases{wait: calmFor(c.nth)}
	m := memory{nth: c.nth, processes: c.processes}
	percent, limit, state := 0, int64(math.MaxInt64), busy
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for second := 0; ; second++ {
		now := observed{made: true}
		if now.allocated = m.read(); c.devices != nil {
			now.made, now.devices = c.devices()
			m.due = remaining(c.need, now.devices)
		}
		if second > 0 { // nearly everything begins with a ramp
			was := state
			if state = p.next(now, m.base); state == steady && was == busy && percentIsMine {
				debug.SetGCPercent(m.percent(steady))
				debug.FreeOSMemory()
			}
		}
		if second%lookEvery == 0 {
			m.free = host.Read(os.DirFS("/"), runtime.NumCPU()).MemoryAvailable
			if l := m.limit(); l != limit && limitIsMine {
				limit = l
				debug.SetMemoryLimit(l)
			}
		}
		if n := m.percent(state); n != percent && percentIsMine {
			percent = n
			debug.SetGCPercent(n)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// read reads what this process has, and returns what it has allocated in all.
func (m *memory) read() (allocated uint64) {
	list := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"},
		{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}, {Name: "/gc/heap/allocs:bytes"},
	}
	metrics.Read(list)
	v := func(i int) uint64 { return list[i].Value.Uint64() }
	m.base, m.mine = v(0)+v(1)+v(2), v(3)-v(4)
	return v(5)
}

// uncollected gives the collector the settings that it has without us.
func uncollected() {
	if os.Getenv(envPercent) == "" {
		debug.SetGCPercent(loose)
	}
	if os.Getenv(envLimit) == "" {
		debug.SetMemoryLimit(math.MaxInt64)
	}
}
