//go:build amd64 || arm64

package link

import "time"

const (
	// tick is what a slot of the near ring spans, span the number of slots of a ring. A slot of the far
	// ring spans the whole near one.
	tick = time.Millisecond
	span = 1024
)

// alarm is when somebody wants to be woken. The zero alarm is not set.
type alarm struct {
	at    time.Duration // of the wheel's time
	owner *socket
	ring  func() // in a goroutine of its own; nil: the owner's read deadline has passed
	next  *alarm
	prev  **alarm // what points here; nil while it is not set
	near  bool
}

// wheel is a hierarchical timing wheel of two rings (G. Varghese and T. Lauck, 1987): alarms are set and
// cleared in constant time, by touching their neighbours only, and allocate nothing. They ring at their
// time and not at a slot's. Time begins at zero and does not go back. The zero wheel is empty.
type wheel struct {
	now    int64 // the tick that is under way
	near   [span]*alarm
	far    [span]*alarm // by span ticks; beyond the ring they lie in its last slot, to be looked at then
	inNear int
	inFar  int
}

// set sets a, which must not be set, to ring at the time. One that has passed rings next.
func (w *wheel) set(a *alarm, at time.Duration) {
	a.at = at
	due := max(int64(at/tick), w.now)
	head := &w.near[due%span]
	if a.near = due-w.now < span; a.near {
		w.inNear++
	} else {
		frame := min(due/span, w.now/span+span-1)
		head = &w.far[frame%span]
		w.inFar++
	}
	if a.next = *head; a.next != nil {
		a.next.prev = &a.next
	}
	*head, a.prev = a, head
}

// clear unsets a, if it is set.
func (w *wheel) clear(a *alarm) {
	if a.prev == nil {
		return
	}
	if *a.prev = a.next; a.next != nil {
		a.next.prev = a.prev
	}
	a.next, a.prev = nil, nil
	if a.near {
		w.inNear--
	} else {
		w.inFar--
	}
}

// advance moves the time to now and rings what is due by then, each alarm once it is cleared.
func (w *wheel) advance(now time.Duration, ring func(*alarm)) {
	for target := int64(now / tick); ; {
		for a := w.near[w.now%span]; a != nil; {
			next := a.next
			if a.at <= now {
				w.clear(a)
				ring(a)
			}
			a = next
		}
		switch {
		case w.now >= target:
			return
		case w.inNear > 0:
			w.now++
		default: // nothing is due before the next far slot
			w.now = min(target, (w.now/span+1)*span)
		}
		if w.now%span == 0 {
			w.unfold(&w.far[w.now/span%span])
		}
	}
}

// unfold moves a far slot's alarms to where they belong now.
func (w *wheel) unfold(slot **alarm) {
	a := *slot
	*slot = nil
	for a != nil {
		next := a.next
		a.next, a.prev = nil, nil
		w.inFar--
		w.set(a, a.at)
		a = next
	}
}

// next returns when advance is wanted next; ok is false if nothing is set. It may be before anything
// rings, when a far slot has to be looked at.
func (w *wheel) next() (at time.Duration, ok bool) {
	frame := w.now / span
	if w.inNear > 0 {
		at = w.earliest()
		// A near alarm lies in this frame or in the one after it.
		if begin := time.Duration((frame+1)*span) * tick; at > begin && w.far[(frame+1)%span] != nil {
			at = begin
		}
		return at, true
	}
	if w.inFar == 0 {
		return 0, false
	}
	for frame++; w.far[frame%span] == nil; frame++ {
	}
	return time.Duration(frame*span) * tick, true
}

// earliest is the time of the first near alarm, of which there is one.
func (w *wheel) earliest() time.Duration {
	i := w.now
	for w.near[i%span] == nil {
		i++
	}
	a := w.near[i%span]
	at := a.at
	for a = a.next; a != nil; a = a.next {
		at = min(at, a.at)
	}
	return at
}
