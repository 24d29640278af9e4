package reports

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// maxDevices is the number of devices whose evidence is kept, maxRanges that of ranges in each list.
const (
	maxDevices = 1000
	maxRanges  = 200
)

// Settlement is a closed ledger.
type Settlement struct {
	All      Totals
	Fleets   []Totals
	Observed []Observed
	Devices  []DeviceLedger // not clean, the worst first
	Omitted  int            // devices that are not clean and not listed
	Foreign  uint64         // sightings of other runs' messages
	Missing  []int          // devices of each fleet whose account never came: what they did is not known
	within   []delivery
}

// delivery is, for one limit, the number of measured messages of each fleet seen within it.
type delivery struct {
	limit  time.Duration
	fleets []uint64
}

// Close judges every message. The devices must have stopped; end is when the drain was over.
// Messages that were acknowledged (or sent at QoS 0) and seen nowhere are lost, unless nothing
// later of their device was seen and they were acknowledged within grace, at most [MaxGrace],
// of end: then they may be on their way, and are unsettled.
func (l *Ledger) Close(end sim.Instant, grace time.Duration) *Settlement {
	s := &Settlement{Fleets: make([]Totals, len(l.accounts)), Observed: slices.Clone(l.observed)}
	for _, limit := range l.limits {
		s.within = append(s.within, delivery{limit, make([]uint64, len(l.accounts))})
	}
	for i := range l.shards {
		sh := &l.shards[i]
		sh.mu.Lock()
		defer sh.mu.Unlock()
		sh.closed = true
		s.Foreign += sh.foreign
		s.All.Phantom += sh.strays
		for j, n := range sh.within {
			s.within[j%len(l.limits)].fleets[j/len(l.limits)%len(l.accounts)] += n
		}
	}
	settledBy := end - min(grace, MaxGrace)
	var unclean []offender
	s.Missing = make([]int, len(l.accounts))
	for fleet := range l.accounts {
		for o := range l.accounts[fleet] {
			if l.missing(fleet, uint32(o)) {
				s.Missing[fleet]++
				continue
			}
			t := l.judge(fleet, sim.Ordinal(o), settledBy, nil)
			s.Fleets[fleet].add(&t)
			if severity := t.severity(); severity > 0 {
				unclean = append(unclean, offender{severity, uint16(fleet), sim.Ordinal(o)})
			}
		}
		s.All.add(&s.Fleets[fleet])
	}
	slices.SortFunc(unclean, func(a, b offender) int {
		return cmp.Or(cmp.Compare(b.severity, a.severity), cmp.Compare(a.fleet, b.fleet), cmp.Compare(a.device, b.device))
	})
	s.Omitted = max(0, len(unclean)-maxDevices)
	for _, u := range unclean[:len(unclean)-s.Omitted] {
		s.Devices = append(s.Devices, l.evidence(u, settledBy))
	}
	return s
}

// missing reports whether the device's account is elsewhere and never came. Its messages are neither
// lost nor delivered: nobody can tell which were sent.
func (l *Ledger) missing(fleet int, device uint32) bool {
	return l.afar && (l.merged == nil || !l.merged[fleet].Has(device))
}

type offender struct {
	severity uint8
	fleet    uint16
	device   sim.Ordinal
}

// severity orders the devices that are not clean; 0 is clean.
func (t *Totals) severity() uint8 {
	for i, n := range [...]uint64{
		t.Lost, t.Phantom, t.Duplicated, t.Reordered, t.Unsettled, t.Unknown, t.Dropped, t.Unsent,
	} {
		if n > 0 {
			return uint8(8 - i)
		}
	}
	return 0
}

// The sets that judge sweeps, in its order.
const (
	inSent0 member = 1 << iota
	inSent1
	inAcked
	inReceived
	inStored
	inFresh
	inPhantom
)

const (
	inSent = inSent0 | inSent1
	inSeen = inReceived | inStored
)

// ranges collect which messages were not clean.
type ranges struct{ lost, unknown, unsettled, phantom Set }

// judge computes one device's totals, and its ranges if r is not nil.
func (l *Ledger) judge(fleet int, o sim.Ordinal, settledBy sim.Instant, r *ranges) Totals {
	a, far := &l.accounts[fleet][o], &l.receipts[fleet][o]
	observed := l.observed[fleet]
	t := Totals{
		Due: uint64(a.due.Load() - a.first), Gone: uint64(a.first), Resent: uint64(a.resent), Dropped: uint64(a.dropped),
		Acked:      a.acked.Len(),
		Duplicated: uint64(max(far.duplicated[received], far.duplicated[stored])),
		Reordered:  uint64(max(far.reordered[received], far.reordered[stored])),
	}
	top := max(a.top, 1)
	t.SentQoS[0], t.SentQoS[top] = a.sent[0].Len(), a.sent[1].Len()
	t.Sent = t.SentQoS[0] + t.SentQoS[top]
	t.Unsent = t.Due - min(t.Due, t.Sent+t.Dropped)

	early := far.phantom
	if early == nil {
		early = new(Set)
	}
	sets := [...]*Set{
		&a.sent[0], &a.sent[1], &a.acked, &far.seen[received], &far.seen[stored], a.tail.since(settledBy), early,
	}
	highest, any := uint32(0), false // seen of those sent: whatever is missing below it is not on its way
	sweep(sets[:], func(_, hi uint32, m member) {
		if m.in(inSent) && m.in(inSeen) {
			highest, any = hi, true
		}
	})
	keep := func(set func(*ranges) *Set, lo, hi uint32) {
		if r != nil {
			set(r).push(lo, hi)
		}
	}
	sweep(sets[:], func(lo, hi uint32, m member) {
		n := uint64(hi-lo) + 1
		if m.in(inPhantom) || m.in(inSeen) && !m.in(inSent) {
			t.Phantom += n
			keep(func(r *ranges) *Set { return &r.phantom }, lo, hi)
		}
		switch {
		case !m.in(inSent):
		case m.in(inSeen):
			t.deliver(n, m, observed)
		case !observed.Received && !observed.Stored:
		case !m.in(inAcked | inSent0):
			t.Unknown += n
			keep(func(r *ranges) *Set { return &r.unknown }, lo, hi)
		case m.in(inFresh) && (!any || lo > highest):
			t.Unsettled += n
			t.UnsettledQoS[m.qos(top)] += n
			keep(func(r *ranges) *Set { return &r.unsettled }, lo, hi)
		default:
			t.Lost += n
			t.LostQoS[m.qos(top)] += n
			keep(func(r *ranges) *Set { return &r.lost }, lo, hi)
		}
	})
	return t
}

func (m member) qos(top uint8) uint8 {
	if m.in(inSent1) {
		return top
	}
	return 0
}

func (t *Totals) deliver(n uint64, m member, o Observed) {
	t.Delivered += n
	if m.in(inReceived) {
		t.Received += n
	}
	if m.in(inStored) {
		t.Stored += n
	}
	if o.Received && !m.in(inReceived) {
		t.Undelivered += n
	}
}

// add adds u to t.
func (t *Totals) add(u *Totals) {
	t.Due += u.Due
	t.Sent += u.Sent
	t.Acked += u.Acked
	t.Received += u.Received
	t.Stored += u.Stored
	t.Delivered += u.Delivered
	t.Lost += u.Lost
	t.Duplicated += u.Duplicated
	t.Reordered += u.Reordered
	t.Unknown += u.Unknown
	t.Unsettled += u.Unsettled
	t.Resent += u.Resent
	t.Dropped += u.Dropped
	t.Unsent += u.Unsent
	t.Phantom += u.Phantom
	t.Undelivered += u.Undelivered
	t.Gone += u.Gone
	for q := range t.SentQoS {
		t.SentQoS[q] += u.SentQoS[q]
		t.LostQoS[q] += u.LostQoS[q]
		t.UnsettledQoS[q] += u.UnsettledQoS[q]
	}
}

// evidence is what can be shown of one device.
func (l *Ledger) evidence(u offender, settledBy sim.Instant) DeviceLedger {
	var r ranges
	t := l.judge(int(u.fleet), u.device, settledBy, &r)
	return DeviceLedger{
		Device: l.plan.Fleets[u.fleet].DeviceID(u.device), Due: t.Due,
		Lost: r.lost.short(), Unknown: r.unknown.short(), Unsettled: r.unsettled.short(), Phantom: r.phantom.short(),
		Duplicated: t.Duplicated, Reordered: t.Reordered, Dropped: t.Dropped, Unsent: t.Unsent,
	}
}

// short is the set's text, cut after maxRanges ranges.
func (s *Set) short() string {
	text, left := s.text(maxRanges)
	if left > 0 {
		return fmt.Sprintf("%s and %d more ranges", text, left)
	}
	return text
}
