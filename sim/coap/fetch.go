package coap

import (
	"context"
	"errors"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// Line is a device's line that fetches: a conversation that has no reports, with a socket of its own. It
// implements [sim.Requester].
type Line struct {
	waiter waiter
	d      *dialogue
	szx    uint8 // of blocks that are asked for, if that has to be said
}

// waiter is what a [Conversation] and a [Stream] have beside their dialogue.
type waiter interface {
	Wait(deadline time.Time) *sim.Event
	Close(abrupt bool)
	Interrupt()
}

// Open implements [sim.Opener]: it opens a line that fetches, as Dial opens a conversation; what the binding
// observes is not asked for. The result is a [*Line].
func (d *Dialer) Open(ctx context.Context, caller *sim.Caller) (sim.Requester, sim.Facts, sim.Outcome) {
	c, facts, o := d.dial(ctx, caller, false)
	if o != sim.OK {
		return nil, sim.Facts{}, o
	}
	return &Line{waiter: c, d: &c.dialogue, szx: d.szx}, facts, sim.OK
}

// Open implements [sim.Opener]: see [Dialer.Open].
func (d *StreamDialer) Open(ctx context.Context, caller *sim.Caller) (sim.Requester, sim.Facts, sim.Outcome) {
	c, facts, o := d.dial(ctx, caller, false)
	if o != sim.OK {
		return nil, sim.Facts{}, o
	}
	l := &Line{waiter: c, d: &c.dialogue, szx: d.inner.szx}
	if d.Binding.CoAP.BlockSize <= 0 && c.blocks && c.limit > baseMessage {
		l.szx = bertSZX
	}
	return l, facts, sim.OK
}

// Request implements [sim.Requester]. A payload or a representation that is too long for a message travels
// in blocks, of the binding's size if it has one, else of the peer's. Each of them is a confirmable message, repeated as
// any other is; silence is CoAPTimeout, CoAPNoResponse or CoAPUnreachable, a reset CoAPReset. A representation that changes
// under way is CoAPIncomplete, and so are blocks that do not fit together: what came before belongs to what
// Answer.ETag says. A response that is not 2.xx in the middle of a transfer is what answers of its code are
// (CoAPUnavailable, with RetryAfter). With an Offset the first request is for the block in which it lies. LocalOther is
// a request that cannot be written: an unknown method, media type or entity tag, or header fields.
func (l *Line) Request(ctx context.Context, q *sim.Request, body sim.Body) (sim.Answer, sim.Outcome) {
	f := &errand{body: body, a: sim.Answer{Size: -1}, szx: l.szx}
	deadline, bounded := ctx.Deadline()
	switch {
	case l.d.over != sim.OK:
		return f.a, l.d.over
	case f.read(q) != nil:
		return f.a, sim.LocalOther
	case errors.Is(ctx.Err(), context.Canceled):
		return f.a, sim.AppUnknown
	case bounded && !time.Now().Before(deadline):
		return f.a, sim.CoAPTimeout
	case l.d.leaving:
		return f.a, sim.CoAPAborted
	}
	if o := l.prepare(f); o != sim.OK {
		return f.a, o
	}
	interrupted := make(chan struct{})
	stop := sim.AfterFunc(ctx, func() { l.waiter.Interrupt(); close(interrupted) })
	defer func() {
		if !stop() {
			<-interrupted
		}
	}()
	e := l.d.freeSlot()
	e.purpose = toAsk
	l.d.seldom().errand = f
	l.d.event = sim.Event{}
	l.d.askNext(e, time.Now())
	ev := &l.d.event // a request that cannot be sent has ended already
	for ev.Kind == sim.EventNone {
		ev = l.waiter.Wait(deadline)
		if ev.Kind == sim.EventNone {
			switch {
			case errors.Is(ctx.Err(), context.Canceled):
				ev = &sim.Event{Kind: sim.EventFailed, Outcome: sim.AppUnknown, Attempts: e.sends}
			case bounded && !time.Now().Before(deadline):
				ev = &sim.Event{Kind: sim.EventFailed, Outcome: e.silence(), Attempts: e.sends}
			}
		}
	}
	f.a.Attempts += int(ev.Attempts)
	l.forget(e)
	return f.a, ev.Outcome
}

// prepare says how the errand's payload travels, and where the answer is to begin.
func (l *Line) prepare(f *errand) sim.Outcome {
	s := l.d.d.getScratch()
	defer l.d.d.putScratch(s)
	s.ask = f.ask()
	if l.d.compose(s) != nil {
		return sim.LocalOther
	}
	if len(f.q.Body) > 0 {
		switch k := l.d.carrier.cut(s); {
		case k.step < 0:
			return sim.CoAPTooLarge
		case k.step > 0:
			body := f.q.Body
			f.up = upload{code: f.code, body: &body, cutting: k}
			if l.d.tag(&f.up); !f.up.fits() {
				return sim.CoAPTooLarge
			}
		}
	}
	f.next = f.q.Offset >> shift(f.szx) << shift(f.szx)
	f.skip = f.q.Offset - f.next
	f.wish = l.d.d.Binding.CoAP.BlockSize > 0 || f.next > 0
	if f.next>>shift(f.szx) > maxNum {
		return sim.CoAPTooLarge
	}
	return sim.OK
}

// forget empties the slot of an errand that is over.
func (l *Line) forget(e *exchange) {
	if e.purpose == toAsk {
		l.d.d.putPacket(e.packet)
		*e = exchange{}
	}
	if l.d.rare != nil {
		l.d.rare.errand = nil
	}
}

// Close implements [sim.Requester].
func (l *Line) Close(abrupt bool) { l.waiter.Close(abrupt) }
