package ledger

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// TestTailForgets checks that the tail remembers all of the grace, and little more.
func TestTailForgets(t *testing.T) {
	for _, every := range []time.Duration{ms, 10 * ms, 700 * ms, time.Second, time.Minute} {
		var a Account
		most := 0
		for seq := range uint32(20_000) {
			at := time.Duration(seq) * every
			a.note(seq, at)
			most = max(most, len(a.tail))
		}
		last := 19_999 * every
		fresh := a.tail.since(last - MaxGrace)
		if want := uint64(MaxGrace/every) + 1; fresh.Len() != want {
			t.Errorf("every %s: %d messages of the last %s, want %d", every, fresh.Len(), MaxGrace, want)
		}
		if limit := 3*int(MaxGrace/every) + 8; most > limit {
			t.Errorf("every %s: kept %d messages, more than %d", every, most, limit)
		}
	}
}

func TestGraceIsBounded(t *testing.T) {
	p := oraclePlan(1)
	l := New(p, oracleRun, new(tape))
	l.Observable(fleetBoth, true, false)
	a := l.Account(fleetBoth, 0, 0)
	a.Due(0)
	a.Sent(0, 1, 0)
	a.Acked(0, time.Second)
	if s := l.Close(time.Second+MaxGrace+2*ms, time.Hour); s.All.Lost != 1 {
		t.Errorf("%+v", s.All)
	}
}

func TestLedgerAfterClose(t *testing.T) {
	w := newWorld(2, 2)
	w.send(fleetBoth, 1, 0, true)
	before := w.l.Close(w.end, oracleGrace)
	w.stamp(fleetBoth, 1, 0).arrive()
	if w.l.Seen() != 0 || before.All.Lost != 1 {
		t.Errorf("seen %d, %+v", w.l.Seen(), before.All)
	}
	if after := w.l.Close(w.end, oracleGrace); after.All != before.All {
		t.Errorf("a sighting after the end changed the ledger: %+v", after.All)
	}
}

func TestEvidence(t *testing.T) {
	w := newWorld(3, 20)
	for seq := range uint32(10) {
		w.send(fleetBoth, 1, seq, seq != 4)
		switch seq {
		case 2, 3, 4, 9:
		default:
			w.stamp(fleetBoth, 1, seq).arrive()
		}
	}
	w.stamp(fleetBoth, 1, 7).arrive()
	w.stamp(fleetBoth, 1, 99).arrive()
	w.stamp(fleetBoth, 1, 98).arrive()
	w.account(fleetBoth, 2).Due(0)
	s := w.l.Close(w.due(9)+time.Second, oracleGrace)
	want := []Evidence{
		{
			Device: "both-1", Due: 10, Lost: "2-3", Unknown: "4", Unsettled: "9", Phantom: "98-99", Duplicated: 1,
		},
		{Device: "both-2", Due: 1, Unsent: 1},
	}
	if len(s.Devices) != 2 || s.Devices[0] != want[0] || s.Devices[1] != want[1] {
		t.Errorf("got %+v\nwant %+v", s.Devices, want)
	}
}

func TestEvidenceIsBounded(t *testing.T) {
	w := newWorld(maxDevices+50, 1)
	for o := range sim.Ordinal(w.devices) {
		w.send(fleetStored, o, 0, o < 20) // most are unknown, the few lost ones come first
	}
	for seq := range uint32(2 * (maxRanges + 30)) {
		w.account(fleetBoth, 0).Due(seq)
		if seq%2 == 0 {
			w.account(fleetBoth, 0).Sent(seq, 1, 0)
			w.account(fleetBoth, 0).Acked(seq, 0)
		}
	}
	s := w.l.Close(w.end, oracleGrace)
	if len(s.Devices) != maxDevices || s.Omitted != 51 {
		t.Fatalf("%d listed, %d omitted", len(s.Devices), s.Omitted)
	}
	for i, d := range s.Devices {
		if (d.Lost != "") != (i <= 20) {
			t.Fatalf("device %d of the list: %+v", i, d)
		}
	}
	if got := s.Devices[0].Lost; len(got) < 500 || got[len(got)-len(" and 30 more ranges"):] != " and 30 more ranges" {
		t.Errorf("%q", got)
	}
}

// TestLedgerConcurrently has devices and witnesses at work at the same time.
func TestLedgerConcurrently(t *testing.T) {
	const devices, messages = 50, 2000
	p := oraclePlan(devices)
	l := New(p, oracleRun, NewRecorder(p, 0, 0))
	l.Observable(fleetBoth, true, true)
	wire := make(chan sim.Stamp, 100)
	var senders, witnesses sync.WaitGroup
	for o := range sim.Ordinal(devices) {
		senders.Go(func() {
			a := l.Account(fleetBoth, 0, o)
			for seq := range uint32(messages) {
				a.Due(seq)
				wire <- sim.Stamp{Run: oracleRun, Device: o, Seq: seq}
				a.Sent(seq, 1, 0)
				a.Acked(seq, 0)
			}
		})
	}
	for range 3 {
		witnesses.Go(func() {
			for st := range wire {
				l.See(sim.Sighting{Stamp: st, Stored: true})
				l.See(sim.Sighting{Stamp: st})
				l.Seen()
			}
		})
	}
	senders.Wait()
	close(wire)
	witnesses.Wait()
	all := l.Close(time.Hour, 0).All
	all.Reordered = 0 // three witnesses take turns
	want := Totals{
		Due: devices * messages, Sent: devices * messages, Acked: devices * messages, Received: devices * messages,
		Stored: devices * messages, Delivered: devices * messages, SentQoS: [3]uint64{0, devices * messages}, AckedQoS: [3]uint64{0, devices * messages},
	}
	if all != want {
		t.Errorf("got %+v\nwant %+v", all, want)
	}
	if n := l.Seen(); n != devices*messages {
		t.Errorf("Seen() = %d", n)
	}
}

func TestSeeDoesNotAllocate(t *testing.T) {
	w := newWorld(1, 1)
	seq := uint32(0)
	a := w.account(fleetBoth, 0)
	if n := testing.AllocsPerRun(1000, func() {
		a.Due(seq)
		a.Sent(seq, 1, 0)
		w.l.See(sim.Sighting{Stamp: sim.Stamp{Run: oracleRun, Seq: seq}, At: 20 * ms})
		seq++
	}); n != 0 {
		t.Errorf("See allocates %v times", n)
	}
}

func BenchmarkLedgerSee(b *testing.B) {
	p := oraclePlan(1000)
	l := New(p, oracleRun, NewRecorder(p, 0, 0))
	for o := range sim.Ordinal(1000) {
		l.Account(fleetBoth, 0, o).Due(1 << 30)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		due := time.Duration(i/1000) * 10 * ms
		l.See(sim.Sighting{
			Stamp: sim.Stamp{Run: oracleRun, Device: sim.Ordinal(i % 1000), Seq: uint32(i / 1000), Due: due}, At: due + 3*ms,
		})
	}
}

// BenchmarkLedgerMemory is a fleet with clean streams of 1,000 messages, one a second or a minute.
func BenchmarkLedgerMemory(b *testing.B) {
	const devices = 10_000
	for name, every := range map[string]time.Duration{"1 a second": time.Second, "1 a minute": time.Minute} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				p := oraclePlan(devices)
				p.Fleets = p.Fleets[:1]
				before := heap()
				l := New(p, oracleRun, new(tape))
				l.Observable(fleetBoth, true, true)
				for o := range sim.Ordinal(devices) {
					for seq := range uint32(1000) {
						at := time.Duration(seq) * every
						l.Account(0, 0, o).Due(seq)
						l.Account(0, 0, o).Sent(seq, 1, at)
						l.Account(0, 0, o).Acked(seq, at)
						l.See(sim.Sighting{Stamp: sim.Stamp{Run: oracleRun, Device: o, Seq: seq}, Stored: true})
						l.See(sim.Sighting{Stamp: sim.Stamp{Run: oracleRun, Device: o, Seq: seq}})
					}
				}
				b.ReportMetric(float64(heap()-before)/devices, "B/device")
				start := time.Now()
				l.Close(2000*every, oracleGrace)
				b.ReportMetric(float64(time.Since(start).Nanoseconds())/devices, "ns-close/device")
				runtime.KeepAlive(l)
			}
		})
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
