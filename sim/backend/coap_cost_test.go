package backend

import (
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// What a DTLS device with a Connection ID costs this process while it waits, its goroutine included: heap
// and stacks in use, and what the runtime has from the system. The server is another process.
func BenchmarkDTLSDevices(b *testing.B) {
	const devices = 1000
	for range b.N {
		tg := &Target{Command: childCommand(), CoAP: true, Identity: Identity{Seed: 5}, Schemes: []sim.Scheme{sim.SchemeCoAPS}}
		at, err := tg.Start(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		d := wires(b, 5)[sim.SchemeCoAPS][0]
		list := make([]sim.Conversation, devices)
		dial := func(from, to int) {
			for i := from; i < to; i++ {
				c, _, o := d.Dial(b.Context(), &sim.Caller{ID: "m-1", Key: uint64(i), Endpoint: at.Of(sim.SchemeCoAPS, 0)})
				if o != sim.OK {
					b.Fatal(o)
				}
				list[i] = c
			}
		}
		used := func() (heap, resident int) {
			var m runtime.MemStats
			debug.FreeOSMemory()
			runtime.ReadMemStats(&m)
			return int(m.HeapAlloc + m.StackInuse), int(m.Sys - m.HeapReleased)
		}
		dial(0, 1) // what all share
		h0, r0 := used()
		dial(1, devices)
		var wg sync.WaitGroup
		for _, c := range list {
			wg.Go(func() { c.Wait(time.Time{}) })
		}
		time.Sleep(200 * time.Millisecond) // until they are in Read
		h1, r1 := used()
		b.ReportMetric(float64(h1-h0)/devices, "B/device")
		b.ReportMetric(float64(r1-r0)/devices, "mapped-B/device")
		b.ReportMetric(float64(runtime.NumGoroutine())/devices, "goroutines/device")
		for _, c := range list {
			c.(sim.Interrupter).Interrupt()
		}
		wg.Wait()
		for _, c := range list {
			c.Close(true)
		}
		_ = tg.Stop(b.Context())
	}
}
