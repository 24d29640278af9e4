package device

import (
	"context"
	"net"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
	"github.com/myriad-iot/myriad/sim/mqtt"
	"github.com/myriad-iot/myriad/sim/skill"
)

// quiet is a peer that answers CONNECT and each PUBLISH of QoS 1, and says nothing else.
func quiet(conn net.Conn) {
	defer conn.Close()
	buf := make([]byte, 1024)
	for {
		n, err := conn.Read(buf)
		switch {
		case err != nil:
			return
		case buf[0]>>4 == 1:
			conn.Write([]byte{0x20, 2, 0, 0})
		case buf[0]>>4 == 3 && n > 4:
			body := 2
			if buf[1] >= 0x80 {
				body++
			}
			topic := int(buf[body])<<8 | int(buf[body+1])
			conn.Write([]byte{0x40, 2, buf[body+2+topic], buf[body+3+topic]})
		}
	}
}

// BenchmarkBlockedDevice is what a device over TCP that has reported and waits costs: its heap, with its
// socket's and its share of the ledger, and its goroutine's stack. Its peers are of the same process: their
// stacks (2 KB each, for two calls) are taken off by a run without devices.
func BenchmarkBlockedDevice(b *testing.B) {
	const count = 2000
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go quiet(conn)
		}
	}()
	var before, plain, after runtime.MemStats
	measure := func(m *runtime.MemStats) {
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(m)
	}
	for range b.N {
		measure(&before)
		conns := make([]net.Conn, count)
		for i := range conns {
			if conns[i], err = net.Dial("tcp", l.Addr().String()); err != nil {
				b.Fatal(err)
			}
			conns[i].Write([]byte{0x10, 0})
			conns[i].Read(make([]byte, 4))
		}
		measure(&plain)
		for _, c := range conns {
			c.Close()
		}
		f := testFleet(count)
		f.Skills[0].Every = sim.Duration(time.Second)
		plan := &sim.Plan{Fleets: []sim.Fleet{f}}
		config := &Config{
			Shared: skill.Shared{Fleet: &plan.Fleets[0], T0: time.Now()}, Skills: skills(b, &plan.Fleets[0]), Recorder: nobody{}, Program: NewProgram(), Gauges: new(Gauges),
			Dialer: &mqtt.Dialer{Binding: f.Bindings[0]}, Endpoints: sim.Endpoints{sim.SchemeMQTT: {l.Addr().String()}},
		}
		connect := all(sim.ActConnect, 0)
		connect.Over = sim.Duration(time.Second)
		config.Program.Add(&connect, 0)
		book := ledger.New(plan, 1, nobody{})
		ctx, cancel := context.WithCancel(context.Background())
		running := NewGroup(ctx)
		devices := make([]*Device, count)
		for o := range devices {
			devices[o] = New(config, sim.Ordinal(o), func(sim.Stream) *ledger.Account { return book.Account(0, 0, sim.Ordinal(o)) })
			devices[o].Go(running)
		}
		for config.Gauges.Done.Load() < 3*count {
			time.Sleep(10 * time.Millisecond)
		}
		config.Program.End(0)
		for _, d := range devices {
			d.Poke()
		}
		for config.Gauges.Backlog.Load() > 0 {
			time.Sleep(10 * time.Millisecond)
		}
		measure(&after)
		b.ReportMetric(float64(after.StackInuse-plain.StackInuse)/count, "stack-B/device")
		b.ReportMetric(float64(after.HeapInuse-before.HeapInuse)/count, "heap-B/device+peer")
		b.ReportMetric(float64(plain.StackInuse-before.StackInuse)/count, "peer-stack-B")
		b.ReportMetric(float64(unsafe.Sizeof(Device{})), "sizeof-B")
		config.Program.Finish()
		for _, d := range devices {
			d.Poke()
		}
		running.Wait()
		cancel()
	}
}
