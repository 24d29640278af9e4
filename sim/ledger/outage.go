package ledger

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// Outage is a time in which nobody watched what arrives at an endpoint: the subscriber at the far end had
// lost its connection. What the devices of that endpoint sent then and nobody saw is not known to be lost.
type Outage struct {
	Endpoint string      `json:"endpoint"`          // its address
	Index    int         `json:"index"`             // its number among Of endpoints, which devices are spread over: see [sim.Spread]
	Of       int         `json:"of"`                // above 0
	From     sim.Instant `json:"from_ns"`           // when the connection was lost, or when it was last heard if it went silent
	To       sim.Instant `json:"to_ns"`             // when the subscription stood again; while it lasts, the latest instant that is known
	Lasts    bool        `json:"lasts,omitempty"`   //
	Resumed  bool        `json:"resumed,omitempty"` // the broker had kept the session, and what came for it
	Own      bool        `json:"own,omitempty"`     // this machine was why: out of descriptors, ports ...
	Lower    bool        `json:"lower,omitempty"`   // it was subscribed, but the broker granted it QoS 0 only and may drop what it likes
	Stalled  bool        `json:"stalled,omitempty"` // the connection stood, but the probe's process did not run; Endpoint is empty

	// What a broker held back during a stall keeps its queue full until the probe has read it: what came then may
	// have been dropped, too. Behind says that it has not read all of it yet, Read when it had; 0 is at once.
	Behind bool        `json:"behind,omitempty"`
	Read   sim.Instant `json:"read_ns,omitempty"`
	Stalls int         `json:"stalls,omitempty"` // how many stalls it stands for, where there were too many to keep each; 0 is one
}

// String says where and when: "127.0.0.1:1883 from 2.5s to 3.1s".
func (o *Outage) String() string {
	text := o.Endpoint
	if o.Stalled {
		text = "the probe did not run"
		if o.Stalls > 1 {
			text += fmt.Sprintf(" %d times", o.Stalls)
		}
	}
	if o.Lower {
		text += ", which grants the far end QoS 0 only,"
	}
	text += fmt.Sprintf(" from %v", o.From.Round(time.Millisecond))
	if o.Lasts {
		return text + " on"
	}
	text += fmt.Sprintf(" to %v", o.To.Round(time.Millisecond))
	switch {
	case o.Behind:
		text += " and never read all that had queued up"
	case o.Read-o.To >= blur:
		text += fmt.Sprintf(" and had read what had queued up at %v", o.Read.Round(time.Millisecond))
	}
	return text
}

// blur is how far from its settling on the sender's side, at most, a message was forwarded to those who
// subscribe. The acknowledgement comes after the forwarding, and is read late by a process that is busy;
// what is sent at QoS 0 is forwarded some time after it was written.
const blur = 500 * time.Millisecond

// covers reports whether a message that was settled at a mark may have been forwarded during the outage.
func (o *Outage) covers(m mark, answered bool) bool {
	from := o.From
	if !answered {
		from -= blur
	}
	at := time.Duration(m.ms) * time.Millisecond
	return at >= from && (o.Lasts || o.Behind || at <= max(o.To, o.Read)+blur)
}

// watch is what the accounts of a process know of the far end's outages. Its address is shared.
type watch struct{ list atomic.Pointer[[]Outage] }

// accounts opens the accounts of n devices.
func (w *watch) accounts(n int) []Account {
	list := make([]Account, n)
	for i := range list {
		list[i].watch = w
	}
	return list
}

// outages are all that are known. The list must not be changed.
func (w *watch) outages() []Outage {
	if w == nil {
		return nil
	}
	if p := w.list.Load(); p != nil {
		return *p
	}
	return nil
}

// Away says when the far end was not watched: all outages so far, whenever one begins or ends. The list must
// not be changed afterwards. It may be called from any goroutine. An account tells which messages were settled
// in an outage if it hears of its beginning within [MaxGrace].
func (a *Accounts) Away(all []Outage) { a.watch.list.Store(&all) }

// Away is that of [Accounts.Away], for the accounts that are here and for the judgement at the end.
func (l *Ledger) Away(all []Outage) { l.watch.list.Store(&all) }

// keeps reports whether a mark lies in any outage. One of a lower QoS lasts as long as the run, and needs no marks.
func (w *watch) keeps(m mark) bool {
	list := w.outages()
	for i := range list {
		if !list[i].Lower && list[i].covers(m, false) {
			return true
		}
	}
	return false
}

// unwatched returns the messages of a device that were settled while nobody watched its endpoint.
func (w *watch) unwatched(a *Account, o sim.Ordinal) *Set {
	var s Set
	for _, outage := range w.outages() {
		if sim.Spread(o, outage.Of) != outage.Index {
			continue
		}
		if due := a.due.Load(); outage.Lower && due > 0 {
			s = Set{}
			s.push(0, due-1)
			return &s
		}
		kept := a.rest().kept
		for i, k := range kept {
			first, last := mark{k.lo, k.from}, mark{k.hi, k.to}
			begins, ends := outage.covers(first, !a.sent[0].Has(k.lo)), outage.covers(last, !a.sent[0].Has(k.hi))
			if begins && ends || a.rest().rough && i == len(kept)-1 {
				for seq := k.lo; seq < k.hi; seq++ {
					s.Add(seq)
				}
				s.Add(k.hi)
			}
		}
		for _, m := range a.tail {
			if outage.covers(m, !a.sent[0].Has(m.seq)) {
				s.Add(m.seq)
			}
		}
	}
	return &s
}
