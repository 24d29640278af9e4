package ledger

import (
	"slices"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// The oracle: transports that are broken on purpose carry some hundred thousand messages, and the
// ledger has to say exactly what they did. The mutants break the ledger instead and run
// the same tests, which have to notice.

const (
	oracleRun   = 77
	oracleGrace = 2 * time.Second
)

// The fleets of the oracle's plan, and who watches them.
const (
	fleetBoth   = iota // QoS 1, a subscriber and the backend
	fleetZero          // QoS 0, a subscriber
	fleetStored        // QoS 1, the backend
	fleetUnseen        // QoS 1, nobody
	oracleFleets
)

// world is a run in small: every device sends one message a second, all devices in turn.
type world struct {
	l        *Ledger
	rec      *tape
	devices  int
	messages uint32
	want     [oracleFleets]Totals
	foreign  uint64
	strays   uint64
	end      sim.Instant
}

// tape counts what the ledger passes on.
type tape struct {
	samples [oracleFleets][sim.NumOps]uint64
	wrong   int
}

func (r *tape) Record(s *sim.Sample) {
	r.samples[s.Fleet][s.Op]++
	if s.Done-s.Due != 20*time.Millisecond || s.Outcome != sim.OK {
		r.wrong++
	}
}
func (r *tape) Count(sim.Counter, uint16, uint16, sim.Instant)      {}
func (r *tape) Link(uint16, uint16, sim.Ordinal, bool, sim.Instant) {}
func (w *world) due(seq uint32) sim.Instant                         { return time.Duration(seq) * time.Second }
func (w *world) account(fleet int, o sim.Ordinal) *Account          { return w.l.Account(fleet, 0, o) }
func (w *world) stamp(fleet int, o sim.Ordinal, q uint32) stampOf   { return stampOf{w, fleet, o, q} }

func oraclePlan(devices int) *sim.Plan {
	p := &sim.Plan{}
	for i, qos := range [oracleFleets]byte{1, 0, 1, 1} {
		name := [...]string{"both", "zero", "stored", "unseen"}[i]
		p.Fleets = append(p.Fleets, sim.Fleet{
			Name: name, Count: devices, Skills: []sim.Skill{{Name: sim.SkillReport, Topic: "t"}},
			Bindings: []sim.Binding{{Role: sim.RoleData, Channel: sim.ChannelMQTT, QoS: qos}},
		})
	}
	return p
}

func newWorld(devices int, messages uint32) *world {
	w := &world{rec: new(tape), devices: devices, messages: messages}
	w.l = New(oraclePlan(devices), oracleRun, w.rec)
	w.l.Observable(fleetBoth, true, true)
	w.l.Observable(fleetZero, true, false)
	w.l.Observable(fleetStored, false, true)
	w.end = w.due(messages-1) + time.Minute
	return w
}

// stampOf is a message's stamp on its way to the far end.
type stampOf struct {
	w     *world
	fleet int
	o     sim.Ordinal
	seq   uint32
}

// arrive is one copy at the far end, seen by whoever watches the fleet.
func (s stampOf) arrive() {
	st := sim.Stamp{Run: oracleRun, Fleet: uint16(s.fleet), Device: s.o, Seq: s.seq, Due: s.w.due(s.seq)}
	s.w.see(st, s.fleet)
}

func (w *world) see(st sim.Stamp, fleet int) {
	at := st.Due + 20*time.Millisecond
	if fleet == fleetBoth || fleet == fleetStored {
		w.l.See(sim.Sighting{Stamp: st, At: at, Stored: true})
	}
	if fleet == fleetBoth || fleet == fleetZero {
		w.l.See(sim.Sighting{Stamp: st, At: at})
	}
}

// send does the device's part and expects it.
func (w *world) send(fleet int, o sim.Ordinal, seq uint32, ack bool) {
	a, t := w.account(fleet, o), &w.want[fleet]
	qos := byte(1)
	if fleet == fleetZero {
		qos, ack = 0, false
	}
	a.Due(seq)
	a.Sent(seq, qos, w.due(seq)+time.Millisecond)
	t.Due++
	t.Sent++
	t.SentQoS[qos]++
	if ack {
		a.Acked(seq, w.due(seq)+time.Millisecond)
		t.Acked++
		t.AckedQoS[qos]++
	} else if qos > 0 {
		t.Unanswered++
	}
}

// carried is what a delivery adds to the expectation.
func (w *world) carried(fleet int) {
	t := &w.want[fleet]
	if fleet == fleetUnseen {
		return
	}
	t.Delivered++
	if fleet != fleetStored {
		t.Received++
	}
	if fleet != fleetZero {
		t.Stored++
	}
}

func (w *world) clean(fleet int, o sim.Ordinal, seq uint32) {
	w.send(fleet, o, seq, true)
	w.stamp(fleet, o, seq).arrive()
	w.carried(fleet)
}

func (w *world) lost(fleet int, n uint64) {
	if fleet != fleetUnseen {
		w.want[fleet].Lost += n
		w.want[fleet].LostQoS[w.qos(fleet)] += n
	}
}

func (w *world) unsettled(fleet int, n uint64) {
	if fleet != fleetUnseen {
		w.want[fleet].Unsettled += n
		w.want[fleet].UnsettledQoS[w.qos(fleet)] += n
	}
}

func (w *world) qos(fleet int) int {
	if fleet == fleetZero {
		return 0
	}
	return 1
}

// everything is one transport that treats every device in its own way. The two that look at the
// end of the run need it to themselves, and the one that mixes up devices their neighbours.
func everything(all map[string]transport) transport {
	var names []string
	for name := range all {
		switch name {
		case "acks the tail and drops it", "leaves a hole in the tail", "delivers as another device":
		default:
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return func(w *world, f int, o sim.Ordinal, seq, last uint32) {
		all[names[int(o)%len(names)]](w, f, o, seq, last)
	}
}

func TestLedgerOracle(t *testing.T) {
	all := transports()
	all["does all of it"] = everything(all)
	for name, carry := range all {
		devices, messages := 80, uint32(160) // of four fleets: 51,200
		switch {
		case testing.Short():
			devices, messages = 40, 60
		case name == "does all of it":
			devices, messages = 160, 320 // 204,800
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(devices, messages)
			for seq := range messages {
				for f := range oracleFleets {
					for o := range sim.Ordinal(devices) {
						carry(w, f, o, seq, messages-1)
					}
				}
			}
			w.compare(t, w.l.Close(w.end, oracleGrace))
		})
	}
}

func (w *world) compare(t *testing.T, s *Settlement) {
	t.Helper()
	var all Totals
	all.Phantom = w.strays
	unclean := 0
	for f := range oracleFleets {
		if s.Fleets[f] != w.want[f] {
			t.Errorf("fleet %d:\n got %+v\nwant %+v", f, s.Fleets[f], w.want[f])
		}
		all.Add(&w.want[f])
		for o := range sim.Ordinal(w.devices) {
			if one := w.l.judge(f, 0, o, w.end-oracleGrace, nil); one.severity() > 0 {
				unclean++
			}
		}
		if got := w.rec.samples[f]; got[sim.OpEndToEnd] < w.want[f].Received || got[sim.OpStorage] < w.want[f].Stored {
			t.Errorf("fleet %d: %v samples, want at least %+v", f, got, w.want[f])
		}
	}
	if s.All != all {
		t.Errorf("all:\n got %+v\nwant %+v", s.All, all)
	}
	if s.Foreign != w.foreign {
		t.Errorf("%d foreign sightings, want %d", s.Foreign, w.foreign)
	}
	if w.rec.wrong > 0 {
		t.Errorf("%d samples have a wrong latency", w.rec.wrong)
	}
	if len(s.Devices)+s.Omitted != unclean || len(s.Devices) > maxDevices {
		t.Errorf("%d devices listed and %d omitted of %d", len(s.Devices), s.Omitted, unclean)
	}
}
