package ledger

import (
	"cmp"
	"fmt"
	"math/bits"
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
	All      Totals         // of what devices sent of their own accord
	Fleets   []Totals       // likewise
	Streams  []StreamTotals // of every stream
	Commands *CommandTotals // nil: no fleet takes any
	Flows    []Flow         // of every journey that the plan keeps account of
	Hearings []Hearing      // of every stream that devices of the plan subscribe to, by those that do
	Heard    []Heard        // receivers whose account is not clean, the worst first
	asked    uint64         // commands that came due after the warm-up
	Wills    []Wills        // of every fleet whose wills can be told apart
	Sessions []Sessions     // of every fleet that reports by MQTT
	Observed []Observed
	Devices  []Evidence // not clean, the worst first
	Omitted  int        // devices that are not clean and not listed
	Foreign  uint64     // sightings of other runs' messages
	Outages  []Outage   // when the far end was not watched
	Open     []Open     // of every fleet: unwatched and unsettled
	Absent   []Open     // likewise: undelivered, and sent while the far end was not watched, or shortly before
	Rough    int        // devices with more outages than are kept one by one: some of their messages may count as unwatched that were not
	Missing  []int      // devices of each fleet whose account never came: what they did is not known
	within   []delivery
	first    map[firstKey][]sim.Instant
	readings map[reading]Reading
}

type firstKey struct {
	fleet  int
	stream string
}

// First is when the first message of a stream was seen, by device of a fleet; -1 is never. It is nil if
// nobody watches the fleet, or no check of the plan asks.
func (s *Settlement) First(fleet int, stream string) []sim.Instant {
	return s.first[firstKey{fleet, stream}]
}

// Within is the number of measured messages of each fleet that were seen within a limit of their due
// instant; nil if the plan has no check of that limit.
func (s *Settlement) Within(limit time.Duration) []uint64 {
	for _, d := range s.within {
		if d.within == limit && !d.answers {
			return d.fleets
		}
	}
	return nil
}

// AnsweredWithin is how many of the measured commands, which are those that came due after the warm-up, were
// answered within a limit of their due instant. It is false if the plan has no check of that limit.
func (s *Settlement) AnsweredWithin(limit time.Duration) (answered, measured uint64, counted bool) {
	for _, d := range s.within {
		if d.within == limit && d.answers {
			for _, n := range d.fleets {
				answered += n
			}
			return answered, s.asked, true
		}
	}
	return 0, s.asked, false
}

// StreamTotals are the columns of one stream of a fleet.
type StreamTotals struct {
	Fleet  int // in the plan
	Stream sim.Stream
	Totals
}

// delivery is, for one limit, the number of measured messages of each fleet seen within it.
type delivery struct {
	limit
	fleets []uint64
}

// Close judges every message. The devices must have stopped; end is when the drain was over.
// Messages that were acknowledged (or sent at QoS 0) and seen nowhere are lost, unless nothing
// later of their device was seen and they were acknowledged within grace, at most [MaxGrace],
// of end: then they may be on their way, and are unsettled. Those that were settled while nobody
// watched the far end, which is the only one, are unwatched.
func (l *Ledger) Close(end sim.Instant, grace time.Duration) *Settlement {
	s := &Settlement{Fleets: make([]Totals, len(l.plan.Fleets)), Observed: slices.Clone(l.observed),
		Outages: slices.Clone(l.watch.outages()), first: make(map[firstKey][]sim.Instant)}
	for _, limit := range l.limits {
		s.within = append(s.within, delivery{limit, make([]uint64, len(l.plan.Fleets))})
	}
	for i := range l.shards {
		sh := &l.shards[i]
		sh.mu.Lock()
		defer sh.mu.Unlock()
		sh.closed = true
		s.asked += sh.asked
		s.Foreign += sh.foreign
		s.All.Phantom += sh.strays
		for j, n := range sh.within {
			s.within[j%len(l.limits)].fleets[j/len(l.limits)%len(l.accounts)] += n
		}
	}
	settledBy := end - min(grace, MaxGrace)
	var unclean []offender
	s.Missing = make([]int, len(l.plan.Fleets))
	s.Open, s.Absent = make([]Open, len(l.plan.Fleets)), make([]Open, len(l.plan.Fleets))
	for fleet := range l.accounts {
		for n := range l.accounts[fleet] {
			spec := &l.streams[fleet][n]
			stream := StreamTotals{Fleet: fleet, Stream: sim.Stream(n)}
			absent := 0
			for o := range l.accounts[fleet][n] {
				if !spec.Down && l.missing(fleet, n, uint32(o)) {
					absent++
					continue
				}
				t := l.judge(fleet, sim.Stream(n), sim.Ordinal(o), settledBy, nil)
				stream.Add(&t)
				if spec.Telemetry() {
					l.open(&s.Open[fleet], &s.Absent[fleet], &t, fleet, sim.Stream(n), sim.Ordinal(o), settledBy)
				}
				if m := l.accounts[fleet][n][o].more; m != nil && m.rough {
					s.Rough++
				}
				if severity := t.severity(); severity > 0 && spec.Telemetry() {
					unclean = append(unclean, offender{severity, uint16(fleet), sim.Stream(n), sim.Ordinal(o)})
				}
			}
			s.Missing[fleet] = max(s.Missing[fleet], absent)
			s.Streams = append(s.Streams, stream)
			if first := l.first[fleet][n]; first != nil && l.observed[fleet] != (Observed{}) {
				s.first[firstKey{fleet, spec.Name}] = first
			}
			if spec.Telemetry() {
				s.Fleets[fleet].Add(&stream.Totals)
			}
		}
		s.All.Add(&s.Fleets[fleet])
		for _, f := range l.closeJourneys(fleet) {
			s.Missing[fleet] = max(s.Missing[fleet], f.Missing)
			s.Flows = append(s.Flows, f)
		}
	}
	s.Commands = l.closeCommands(end, s.Streams)
	l.end = end
	s.Wills = l.closeWills(end, min(grace, MaxGrace))
	s.Sessions = l.closeSessions()
	s.readings = l.closeLate(end)
	s.Hearings, s.Heard = l.closeReceivers(min(grace, MaxGrace))
	slices.SortFunc(unclean, func(a, b offender) int {
		return cmp.Or(cmp.Compare(b.severity, a.severity), cmp.Compare(a.fleet, b.fleet), cmp.Compare(a.device, b.device),
			cmp.Compare(a.stream, b.stream))
	})
	s.Omitted = max(0, len(unclean)-maxDevices)
	for _, u := range unclean[:len(unclean)-s.Omitted] {
		s.Devices = append(s.Devices, l.evidence(u, settledBy))
	}
	return s
}

// missing reports whether the account of a device's stream is elsewhere and never came. Its messages are
// neither lost nor delivered: nobody can tell which were sent.
func (l *Ledger) missing(fleet, stream int, device uint32) bool {
	return l.afar && !l.merged[fleet][stream].Has(device)
}

type offender struct {
	severity uint8
	fleet    uint16
	stream   sim.Stream
	device   sim.Ordinal
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
	inAway
	inRefused
	inNobody
	inAstray
)

const (
	inSent = inSent0 | inSent1
	inSeen = inReceived | inStored
)

// ranges collect which messages were not clean.
type ranges struct{ lost, refused, unknown, unsettled, unwatched, undelivered, phantom Set }

// judge computes one device's totals, and its ranges if r is not nil.
func (l *Ledger) judge(fleet int, s sim.Stream, o sim.Ordinal, settledBy sim.Instant, r *ranges) Totals {
	a, far, observed := &l.accounts[fleet][s][o], &l.receipts[fleet][s][o], l.observed[fleet]
	switch spec := &l.streams[fleet][s]; {
	case spec.Down: // that the device has it is known by its answer
		observed = Observed{}
		if answers := int(s) + 1; answers < len(l.streams[fleet]) && l.streams[fleet][answers].Answer {
			far = &receipt{seen: l.receipts[fleet][answers][o].seen}
		}
	case spec.Answer:
		overCoAP := l.plan.Fleets[fleet].Binding(spec.Role).Channel == sim.ChannelCoAP
		observed = Observed{Received: !overCoAP, Stored: overCoAP}
	}
	t := Totals{
		Due: uint64(a.due.Load() - a.first), Gone: uint64(a.first), Resent: uint64(a.resent), Dropped: uint64(a.dropped),
		Acked:      a.acked.Len(),
		Duplicated: uint64(max(far.duplicated[received], far.duplicated[stored])),
		Reordered:  uint64(max(far.reordered[received], far.reordered[stored])),
	}
	top := max(a.top, 1)
	t.SentQoS[0], t.SentQoS[top] = a.sent[0].Len(), a.sent[1].Len()
	t.Sent, t.AckedQoS[top] = t.SentQoS[0]+t.SentQoS[top], t.Acked
	t.Unsent = t.Due - min(t.Due, t.Sent+t.Dropped)

	early := far.phantom
	if early == nil {
		early = new(Set)
	}
	rest := a.rest()
	sets := [...]*Set{
		&a.sent[0], &a.sent[1], &a.acked, &far.seen[received], &far.seen[stored], a.tail.since(settledBy), early, new(Set),
		&rest.refused, &rest.nobody, &rest.away,
	}
	if l.streams[fleet][s].Telemetry() && observed.Received && !observed.Stored {
		sets[bits.TrailingZeros16(uint16(inAway))] = l.watch.unwatched(a, o)
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
		if m.in(inAway | inAstray) {
			t.Away += n
		}
		if m.in(inAstray) {
			t.Astray += n
		}
		if m.in(inNobody) && m.in(inAcked) {
			t.Nobody += n
		}
		if m.in(inSent1) && !m.in(inAcked|inRefused) {
			t.Unanswered += n
		}
		switch {
		case !m.in(inSent):
		case m.in(inSeen):
			t.deliver(n, m, observed)
			if observed.Received && !m.in(inReceived) {
				keep(func(r *ranges) *Set { return &r.undelivered }, lo, hi)
			}
		case m.in(inRefused) && !m.in(inAcked):
			t.Refused += n
			keep(func(r *ranges) *Set { return &r.refused }, lo, hi)
		case !observed.Received && !observed.Stored:
		case !m.in(inAcked | inSent0):
			t.Unknown += n
			keep(func(r *ranges) *Set { return &r.unknown }, lo, hi)
		case m.in(inAway | inAstray):
			t.Unwatched += n
			t.UnwatchedQoS[m.qos(top)] += n
			keep(func(r *ranges) *Set { return &r.unwatched }, lo, hi)
		case m.in(inFresh) && (!any || lo > highest):
			t.Unsettled += n
			t.UnsettledQoS[m.qos(top)] += n
			keep(func(r *ranges) *Set { return &r.unsettled }, lo, hi)
		default:
			t.Lost += n
			t.LostQoS[m.qos(top)] += n
			if m.in(inNobody) {
				t.LostNobody += n
			}
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

// evidence is what can be shown of one device.
func (l *Ledger) evidence(u offender, settledBy sim.Instant) Evidence {
	var r ranges
	t := l.judge(int(u.fleet), u.stream, u.device, settledBy, &r)
	return Evidence{
		Device: l.plan.Fleets[u.fleet].DeviceID(u.device), Stream: l.streamName(u), Due: t.Due,
		Lost: r.lost.short(), Refused: r.refused.short(), Unknown: r.unknown.short(), Unsettled: r.unsettled.short(), Unwatched: r.unwatched.short(), Phantom: r.phantom.short(),
		Duplicated: t.Duplicated, Reordered: t.Reordered, Dropped: t.Dropped, Unsent: t.Unsent,
	}
}

// streamName tells a device's streams apart; it is empty where the fleet has only one that counts.
func (l *Ledger) streamName(u offender) string {
	n := 0
	for i := range l.streams[u.fleet] {
		if l.streams[u.fleet][i].Telemetry() {
			n++
		}
	}
	if n < 2 {
		return ""
	}
	spec := &l.streams[u.fleet][u.stream]
	return spec.Name + " to " + spec.Topic
}

// short is the set's text, cut after maxRanges ranges.
func (s *Set) short() string {
	text, left := s.text(maxRanges)
	if left > 0 {
		return fmt.Sprintf("%s and %d more ranges", text, left)
	}
	return text
}
