package device

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
	"github.com/myriad-iot/myriad/sim/skill"
)

// echo is a conversation that answers at once.
type echo struct {
	seq uint32
	of  sim.Stream
	qos byte
	at  time.Time

	event sim.Event
}

func (e *echo) Publish(m *sim.Message) sim.Outcome {
	e.seq, e.of, e.qos = m.Seq, m.Stream, m.QoS
	return sim.OK
}
func (e *echo) Wait(time.Time) *sim.Event {
	e.event = sim.Event{}
	if e.qos > 0 {
		e.event = sim.Event{Kind: sim.EventAcked, Stream: e.of, Seq: e.seq, Attempts: 1, At: e.at}
	}
	return &e.event
}
func (e *echo) Close(bool) {}
func (e *echo) Room() int  { return 1 }

// nobody is a recorder that keeps nothing.
type nobody struct{}

func (nobody) Record(*sim.Sample)                                  {}
func (nobody) Count(sim.Counter, uint16, uint16, sim.Instant)      {}
func (nobody) Link(uint16, uint16, sim.Ordinal, bool, sim.Instant) {}

// workbench are connected devices without goroutines.
func workbench(tb testing.TB, count int, qos byte) ([]*Device, *ledger.Ledger) {
	f := testFleet(count)
	f.Bindings[0].QoS = qos
	plan := &sim.Plan{Fleets: []sim.Fleet{f}}
	return workbenchOf(tb, plan)
}

func workbenchOf(tb testing.TB, plan *sim.Plan) ([]*Device, *ledger.Ledger) {
	c := &Config{
		Shared: skill.Shared{Fleet: &plan.Fleets[0], T0: time.Now()}, Skills: skills(tb, &plan.Fleets[0]), Recorder: nobody{},
		Program: NewProgram(), Gauges: new(Gauges), Telemetry: func(fleet uint16, s sim.Stream) bool { return s == 0 },
	}
	connect := all(sim.ActConnect, 0)
	c.Program.Add(&connect, 0)
	book := ledger.New(plan, 1, nobody{})
	devices := make([]*Device, plan.Fleets[0].Count)
	conv := &echo{at: c.T0}
	for o := range devices {
		devices[o] = New(c, sim.Ordinal(o), func(s sim.Stream) *ledger.Account { return book.Account(0, s, sim.Ordinal(o)) })
		devices[o].act(c.Program.current.Load(), 0)
		devices[o].conv = conv
	}
	return devices, book
}

// work lets a device do all that it does for report n, as Run would at the report's instant.
func (d *Device) work(n int) {
	s := d.c.Program.current.Load()
	now := sim.Instant(n+1) * 10 * time.Second
	d.act(s, now)
	d.pursue(s, now)
	d.send()
	e := d.conv.(*echo)
	e.at = d.T0.Add(now)
	ev := e.Wait(d.T0.Add(now))
	d.handle(ev)
}

func BenchmarkDeviceReport(b *testing.B) {
	for _, qos := range []byte{0, 1} {
		b.Run(fmt.Sprint("QoS", qos), func(b *testing.B) {
			devices, _ := workbench(b, 1, qos)
			b.ReportAllocs()
			for i := range b.N {
				devices[0].work(i)
			}
			if done := devices[0].c.Gauges.Done.Load(); done < int64(b.N) {
				b.Fatalf("%d reports done of %d", done, b.N)
			}
		})
	}
}

func TestReportsDoNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes pools forget")
	}
	for _, qos := range []byte{0, 1} {
		devices, _ := workbench(t, 1, qos)
		n := 0
		if got := testing.AllocsPerRun(2000, func() { devices[0].work(n); n++ }); got != 0 {
			t.Errorf("QoS %d: a report allocates %v times", qos, got)
		}
	}
}

// BenchmarkDeviceMemory is what a connected device that has reported costs beside its conversation
// and its goroutine's stack, with its share of the ledger.
func BenchmarkDeviceMemory(b *testing.B) {
	const count = 20_000
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for range b.N {
		before := heap()
		devices, ledger := workbench(b, count, 1)
		made := heap()
		for n := range 20 {
			for _, d := range devices {
				d.work(n)
			}
		}
		after := heap()
		b.ReportMetric(float64(made-before)/count, "new-B/device")
		b.ReportMetric(float64(after-before)/count, "B/device")
		runtime.KeepAlive(devices)
		runtime.KeepAlive(ledger)
	}
}
