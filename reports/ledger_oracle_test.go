package reports

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// The oracle: transports that are broken on purpose carry some hundred thousand messages, and the
// ledger has to say exactly what they did. TestLedgerMutants breaks the ledger instead and runs
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
func (r *tape) Count(sim.Counter, uint16, sim.Instant)            {}
func (r *tape) Link(uint16, sim.Ordinal, bool, sim.Instant)       {}
func (w *world) due(seq uint32) sim.Instant                       { return time.Duration(seq) * time.Second }
func (w *world) account(fleet int, o sim.Ordinal) *Account        { return w.l.Account(fleet, o) }
func (w *world) stamp(fleet int, o sim.Ordinal, q uint32) stampOf { return stampOf{w, fleet, o, q} }

func oraclePlan(devices int) *sim.Plan {
	p := &sim.Plan{}
	for i, qos := range [oracleFleets]byte{1, 0, 1, 1} {
		name := [...]string{"both", "zero", "stored", "unseen"}[i]
		p.Fleets = append(p.Fleets, sim.Fleet{
			Name: name, Count: devices,
			Bindings: []sim.Binding{{Role: sim.RoleData, Channel: sim.ChannelMQTT, QoS: qos}},
		})
	}
	return p
}

func newWorld(devices int, messages uint32) *world {
	w := &world{rec: new(tape), devices: devices, messages: messages}
	w.l = NewLedger(oraclePlan(devices), oracleRun, w.rec)
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

// transport does one message of one device; last is the number of the device's last one.
type transport func(w *world, fleet int, o sim.Ordinal, seq, last uint32)

// each n-th message, but never a device's first or last three: what becomes of the tail is
// another transport's business.
func each(n int, w *world, o sim.Ordinal, seq, last uint32) bool {
	return seq > 2 && seq+3 < last && (int(seq)*w.devices+int(o))%n == 0
}

func transports() map[string]transport {
	return map[string]transport{
		"clean":                      func(w *world, f int, o sim.Ordinal, seq, _ uint32) { w.clean(f, o, seq) },
		"drops the k-th, acked":      dropAcked,
		"drops the k-th, not acked":  dropUnacked,
		"loses the ack":              loseAck,
		"duplicates":                 duplicate,
		"duplicates for subscribers": duplicateReceived,
		"swaps":                      swap,
		"delays by three":            delay,
		"delivers as another device": cross,
		"corrupts the stamp":         corrupt,
		"mixes in another run":       foreign,
		"phantoms":                   phantom,
		"stores without forwarding":  storeOnly,
		"device drops and resends":   deviceDrops,
		"acks the tail and drops it": dropTail,
		"leaves a hole in the tail":  dropBeforeLast,
	}
}

func dropAcked(w *world, f int, o sim.Ordinal, seq, last uint32) {
	if !each(97, w, o, seq, last) {
		w.clean(f, o, seq)
		return
	}
	w.send(f, o, seq, true)
	w.lost(f, 1)
}

func dropUnacked(w *world, f int, o sim.Ordinal, seq, last uint32) {
	if !each(97, w, o, seq, last) {
		w.clean(f, o, seq)
		return
	}
	w.send(f, o, seq, false)
	switch f {
	case fleetZero:
		w.lost(f, 1)
	case fleetBoth, fleetStored:
		w.want[f].Unknown++
	}
}

func loseAck(w *world, f int, o sim.Ordinal, seq, last uint32) {
	if !each(97, w, o, seq, last) {
		w.clean(f, o, seq)
		return
	}
	w.send(f, o, seq, false)
	w.stamp(f, o, seq).arrive()
	w.carried(f)
}

func duplicate(w *world, f int, o sim.Ordinal, seq, last uint32) {
	w.clean(f, o, seq)
	if each(97, w, o, seq, last) && f != fleetUnseen {
		w.stamp(f, o, seq).arrive()
		w.stamp(f, o, seq).arrive()
		w.want[f].Duplicated += 2
	}
}

func duplicateReceived(w *world, f int, o sim.Ordinal, seq, last uint32) {
	w.clean(f, o, seq)
	if each(97, w, o, seq, last) && (f == fleetBoth || f == fleetZero) {
		w.see(sim.Stamp{Run: oracleRun, Fleet: uint16(f), Device: o, Seq: seq, Due: w.due(seq)}, fleetZero)
		w.want[f].Duplicated++
	}
}

// swap delivers a message after the one that follows it.
func swap(w *world, f int, o sim.Ordinal, seq, last uint32) {
	w.send(f, o, seq, true)
	w.carried(f)
	if each(10, w, o, seq, last) && seq%2 == 0 {
		return // it arrives with the next
	}
	w.stamp(f, o, seq).arrive()
	if each(10, w, o, seq-1, last) && seq%2 == 1 {
		w.stamp(f, o, seq-1).arrive()
		if f != fleetUnseen {
			w.want[f].Reordered++
		}
	}
}

// delay delivers two messages right behind the one after them: both came too late, although the
// second is later than the one before it.
func delay(w *world, f int, o sim.Ordinal, seq, last uint32) {
	held := func(seq uint32) bool { return seq%12 < 2 && seq+9 < last }
	w.send(f, o, seq, true)
	w.carried(f)
	if held(seq) {
		return
	}
	w.stamp(f, o, seq).arrive()
	if seq%12 != 3 {
		return
	}
	for _, late := range []uint32{seq - 3, seq - 2} {
		if held(late) {
			w.stamp(f, o, late).arrive()
			if f != fleetUnseen {
				w.want[f].Reordered++
			}
		}
	}
}

// cross delivers a message with the identity of the device before it, whose own has come already.
func cross(w *world, f int, o sim.Ordinal, seq, last uint32) {
	if o == 0 || !each(97, w, o, seq, last) || each(97, w, o-1, seq, last) {
		w.clean(f, o, seq)
		return
	}
	w.send(f, o, seq, true)
	w.lost(f, 1)
	if f != fleetUnseen {
		w.stamp(f, o-1, seq).arrive()
		w.want[f].Duplicated++
	}
}

// corrupt changes one character of the stamp in the payload.
func corrupt(w *world, f int, o sim.Ordinal, seq, last uint32) {
	w.send(f, o, seq, true)
	payload := []byte(`{"t":21.5,"_m":"`)
	mark := len(payload)
	payload = sim.Stamp{Run: oracleRun, Fleet: uint16(f), Device: o, Seq: seq, Due: w.due(seq)}.Append(payload)
	payload = append(payload, `"}`...)
	if each(97, w, o, seq, last) {
		i := mark + int(seq)%sim.StampSize
		payload[i] = bytes.TrimLeft([]byte("AB"), string(payload[i]))[0]
		w.lost(f, 1)
	} else {
		w.carried(f)
	}
	if st, ok := sim.FindStamp(payload); ok {
		w.see(st, f)
	}
}

func foreign(w *world, f int, o sim.Ordinal, seq, last uint32) {
	w.clean(f, o, seq)
	if each(97, w, o, seq, last) {
		w.see(sim.Stamp{Run: oracleRun + 1, Fleet: uint16(f), Device: o, Seq: seq, Due: w.due(seq)}, fleetZero)
		w.foreign++
	}
}

// phantom makes up messages: some far beyond what was due, some of devices that do not exist.
func phantom(w *world, f int, o sim.Ordinal, seq, last uint32) {
	w.clean(f, o, seq)
	if !each(97, w, o, seq, last) || f == fleetUnseen {
		return
	}
	w.stamp(f, o, seq+1_000_000).arrive()
	w.want[f].Phantom++
	w.see(sim.Stamp{Run: oracleRun, Fleet: uint16(f), Device: sim.Ordinal(w.devices) + o}, fleetZero)
	w.strays++
}

func storeOnly(w *world, f int, o sim.Ordinal, seq, last uint32) {
	if f != fleetBoth || !each(97, w, o, seq, last) {
		w.clean(f, o, seq)
		return
	}
	w.send(f, o, seq, true)
	w.see(sim.Stamp{Run: oracleRun, Fleet: uint16(f), Device: o, Seq: seq, Due: w.due(seq)}, fleetStored)
	w.want[f].Stored++
	w.want[f].Delivered++
	w.want[f].Undelivered++
}

// deviceDrops is the device's own doing: some messages fall out of the buffer, one of those shows
// up all the same, some are sent twice and then fall out, the last ones are never sent.
func deviceDrops(w *world, f int, o sim.Ordinal, seq, last uint32) {
	a, t := w.account(f, o), &w.want[f]
	switch {
	case seq+2 > last:
		a.Due(seq)
		t.Due++
		t.Unsent++
	case each(97, w, o, seq, last):
		a.Due(seq)
		a.Dropped(seq)
		t.Due++
		t.Dropped++
		if f != fleetUnseen && seq%2 == 0 {
			w.stamp(f, o, seq).arrive()
			t.Phantom++
		}
	case each(97, w, o, seq-1, last):
		w.clean(f, o, seq)
		a.Resent(seq)
		t.Resent++
		a.Dropped(seq) // no: it was sent
		a.Acked(seq+1, w.due(seq))
	default:
		w.clean(f, o, seq)
	}
}

// dropTail acknowledges the last five of every seventh device and delivers none of them. The run
// ends in the middle of the grace of the last two.
func dropTail(w *world, f int, o sim.Ordinal, seq, last uint32) {
	w.end = w.due(last) + 900*time.Millisecond
	if o%7 != 0 || seq+5 <= last {
		w.clean(f, o, seq)
		return
	}
	w.send(f, o, seq, true)
	if seq+1 < last {
		w.lost(f, 1)
	} else {
		w.unsettled(f, 1)
	}
}

// dropBeforeLast loses the last message but one although it was acknowledged within the grace: of
// some devices the last one arrived, so it is lost; of others the last one was never sent and
// shows up all the same, which says nothing about the one before.
func dropBeforeLast(w *world, f int, o sim.Ordinal, seq, last uint32) {
	w.end = w.due(last) + 900*time.Millisecond
	switch {
	case o%7 > 1 || seq+1 < last || o%7 == 0 && seq == last:
		w.clean(f, o, seq)
	case seq == last:
		w.account(f, o).Due(seq)
		w.want[f].Due++
		w.want[f].Unsent++
		if f != fleetUnseen {
			w.stamp(f, o, seq).arrive()
			w.want[f].Phantom++
		}
	default:
		w.send(f, o, seq, true)
		if o%7 == 0 {
			w.lost(f, 1)
		} else {
			w.unsettled(f, 1)
		}
	}
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
		all.add(&w.want[f])
		for o := range sim.Ordinal(w.devices) {
			if one := w.l.judge(f, o, w.end-oracleGrace, nil); one.severity() > 0 {
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
