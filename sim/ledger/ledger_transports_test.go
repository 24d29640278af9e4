package ledger

import (
	"bytes"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

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
