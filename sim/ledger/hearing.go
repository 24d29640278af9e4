package ledger

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// Deliveries is the account of what receivers were entitled to and what they got. A message that ten receivers
// are entitled to is ten deliveries. Owed = Got + Lost.
type Deliveries struct {
	Owed      uint64    `json:"owed"`                // got, or acknowledged while the receiver was subscribed for certain
	Got       uint64    `json:"got"`                 // distinct messages of those sent
	Lost      uint64    `json:"lost"`                // owed, and never came
	Unsettled uint64    `json:"unsettled,omitempty"` // the receiver was entitled to it, and left before it must have come
	Unknown   uint64    `json:"unknown,omitempty"`   // never came, and nobody knows whether it should have
	Twice     uint64    `json:"twice"`               // copies beyond the first
	Again     uint64    `json:"again,omitempty"`     // copies that the protocol allows: the broker may not have had the answer, or two subscriptions match
	Reordered uint64    `json:"reordered,omitempty"` // first copies that came after a later message of their sender
	Phantom   uint64    `json:"phantom,omitempty"`   // came, and were never sent
	LostQoS   [3]uint64 `json:"lost_by_qos"`         // by the lower QoS of message and subscription
	OwedQoS   [3]uint64 `json:"owed_by_qos"`

	UnsettledQoS [3]uint64 `json:"unsettled_by_qos,omitzero"`

	// What may be why, of Lost: it came while a process of Myriad's that carries devices did not run, or had not caught
	// up; and it came while the receiver was connected, so that a full queue shows that it was read too slowly.
	Held uint64 `json:"lost_in_stalls,omitempty"`
	Near uint64 `json:"lost_connected,omitempty"`
}

// Hearing is what the receivers of a fleet, or of a shared group, heard of a stream of a fleet.
type Hearing struct {
	From      int        `json:"-"` // the fleet that sends, in the plan
	Stream    sim.Stream `json:"-"`
	To        []int      `json:"-"`                          // the fleets that hear; one but for a group
	Group     string     `json:"group,omitempty"`            // "name/filter" of a shared subscription: each message is for one of its members
	Receivers int        `json:"receivers"`                  // that were subscribed at some time
	Away      int        `json:"away,omitempty"`             // of them, those that were not connected at the end
	Missing   int        `json:"missing,omitempty"`          // receivers, and senders, whose account never came
	Apart     int        `json:"apart,omitempty"`            // pairs at different brokers: what came there counts, and nothing is owed
	Never     int        `json:"never_subscribed,omitempty"` // devices that were to subscribe and never got their subscription: nothing was owed to them
	Blurred   int        `json:"blurred,omitempty"`          // receivers with more connections than are kept: what came counts, and nothing is owed
	Retained  uint64     `json:"retained,omitempty"`
	Deliveries

	by        []Deliveries       // by the ordinal of the receiver; nil for a group
	standings map[int][]Standing // of the devices of a fleet, by ordinal
}

// By is the account of one receiver; nothing for a group.
func (h *Hearing) By(o sim.Ordinal) Deliveries {
	if int(o) >= len(h.by) {
		return Deliveries{}
	}
	return h.by[o]
}

// Heard is the evidence for one receiver whose account is not clean.
type Heard struct {
	Device  string `json:"device"` // or the group
	From    string `json:"from"`   // the fleet that sends
	Stream  string `json:"stream,omitempty"`
	Missing string `json:"lost_messages,omitempty"` // by sender: "meters-7: 3-5,9; meters-9: 1"
	Deliveries
}

// Add adds e to d.
func (d *Deliveries) Add(e *Deliveries) {
	d.Owed += e.Owed
	d.Got += e.Got
	d.Lost += e.Lost
	d.Unknown += e.Unknown
	d.Unsettled += e.Unsettled
	d.Twice += e.Twice
	d.Again += e.Again
	d.Reordered += e.Reordered
	d.Phantom += e.Phantom
	d.Held += e.Held
	d.Near += e.Near
	for q := range d.LostQoS {
		d.LostQoS[q] += e.LostQoS[q]
		d.OwedQoS[q] += e.OwedQoS[q]
		d.UnsettledQoS[q] += e.UnsettledQoS[q]
	}
}

// clean reports whether nothing is to be shown of d.
func (d *Deliveries) clean() bool {
	return d.Lost+d.Unsettled+d.Unknown+d.Twice+d.Reordered+d.Phantom == 0
}

// At says where the devices connect: receivers are entitled to what is sent to their own broker. Without it there
// is one broker.
func (l *Ledger) At(e sim.Endpoints) { l.endpoints = e }

// apart reports whether two devices speak to different brokers, as far as their endpoints say.
func (l *Ledger) apart(from *sim.Fleet, o sim.Ordinal, to *sim.Fleet, r sim.Ordinal) bool {
	a, b := l.endpoints[from.Data().Scheme()], l.endpoints[to.Data().Scheme()]
	switch {
	case len(a) <= 1 && len(b) <= 1:
		return false
	case len(a) != len(b):
		return true
	}
	return sim.Spread(o, len(a)) != sim.Spread(r, len(b))
}

// subject is one side of a pair: a receiver, or a group, with what it heard of the sender.
type subject struct {
	got     *Set // nil: nothing
	windows []window
	near    []window // when it was connected
	qos     byte
	ordered bool // what it heard of a sender comes in order
}

// hear judges what a subject heard of a sender. missing takes what is lost.
func (l *Ledger) hear(a *Account, s subject, grace time.Duration, missing *Set) (d Deliveries) {
	got := s.got
	if got == nil {
		got = &l.none
	}
	rest, top := a.rest(), max(a.top, 1)
	const (
		sent0 member = 1 << iota
		sent1
		acked
		came
		certain
		possible
		astray
		entitled
	)
	sets := [...]*Set{&a.sent[0], &a.sent[1], &a.acked, got, &l.none, &l.none, &rest.away, &l.none}
	gap := false
	sweep(sets[:4], func(lo, hi uint32, m member) {
		if !m.in(came) && m.in(sent0|acked) {
			gap = true
		}
	})
	if gap {
		sets[4], sets[7], sets[5] = rest.clock.owed(s.windows, float64(grace.Milliseconds()), map[bool]*Set{true: got}[s.ordered])
	}
	sweep(sets[:], func(lo, hi uint32, m member) {
		n, q := uint64(hi-lo)+1, min(m.qos0(sent1, top), s.qos)
		switch {
		case m.in(came) && !m.in(sent0|sent1):
			if hi >= a.first {
				d.Phantom += uint64(hi-max(lo, a.first)) + 1
			}
		case m.in(came):
			d.Got += n
			d.OwedQoS[q] += n
		case !m.in(sent0|acked) || m.in(astray):
		case m.in(certain):
			d.Lost += n
			d.LostQoS[q] += n
			d.OwedQoS[q] += n
			missing.push(lo, hi)
		case m.in(entitled):
			d.Unsettled += n
			d.UnsettledQoS[q] += n
		case m.in(possible):
			d.Unknown += n
		}
	})
	d.Owed = d.Got + d.Lost
	if d.Lost > 0 {
		sweep([]*Set{missing, rest.clock.during(l.stalls), rest.clock.during(s.near)}, func(lo, hi uint32, m member) {
			n := uint64(hi-lo) + 1
			if m.in(1) && m.in(2) {
				d.Held += n
			}
			if m.in(1) && m.in(4) {
				d.Near += n
			}
		})
	}
	return d
}

// qos0 is the QoS of a message that was sent with an answer or not.
func (m member) qos0(answered member, top uint8) uint8 {
	if m.in(answered) {
		return top
	}
	return 0
}

// closeReceivers judges what all receivers heard. grace is that of [Ledger.Close].
func (l *Ledger) closeReceivers(grace time.Duration) (all []Hearing, evidence []Heard) {
	for to := range l.plan.Fleets {
		if l.receivers[to].accounts == nil {
			continue
		}
		for from := range l.plan.Fleets {
			for n := range l.streams[from] {
				if h, e := l.hearing(from, sim.Stream(n), to, grace); h != nil {
					all, evidence = append(all, *h), append(evidence, e...)
				}
			}
		}
	}
	groups, e := l.closeGroups(grace)
	all, evidence = append(all, groups...), append(evidence, e...)
	slices.SortStableFunc(evidence, func(a, b Heard) int {
		return cmp.Or(cmp.Compare(b.Lost, a.Lost), cmp.Compare(b.Twice, a.Twice), cmp.Compare(b.Phantom, a.Phantom),
			cmp.Compare(b.Reordered, a.Reordered), cmp.Compare(b.Unknown, a.Unknown))
	})
	return all, evidence[:min(len(evidence), maxDevices)]
}

// hearing judges what the devices of a fleet heard of a stream of another, or of their own, by subscriptions that
// are not shared; nil if none is to it.
func (l *Ledger) hearing(from int, stream sim.Stream, to int, grace time.Duration) (*Hearing, []Heard) {
	f, g, spec := &l.plan.Fleets[from], &l.plan.Fleets[to], &l.streams[from][stream]
	if b := f.Binding(spec.Role); !spec.Telemetry() || b == nil || b.Channel != sim.ChannelMQTT {
		return nil, nil
	}
	binding := g.Data()
	h := &Hearing{From: from, Stream: stream, To: []int{to}, by: make([]Deliveries, g.Count)}
	var evidence []Heard
	matched := false
	for r := range l.receivers[to].accounts {
		var subs []subscription
		var which []int64
		for _, s := range binding.MQTT.Subscribe {
			sub := subscriptionOf(g, s, sim.Ordinal(r))
			if m := match(sub.filter, f, spec.Topic); sub.group == "" && m != matchNone {
				subs, which = append(subs, sub), append(which, m)
			}
		}
		if len(subs) == 0 {
			continue
		}
		matched = true
		if l.receiverMissing(to, sim.Ordinal(r)) {
			h.Missing++
			continue
		}
		account := &l.receivers[to].accounts[r]
		if !h.stands(to, g.Count, sim.Ordinal(r), account) {
			continue
		}
		h.Retained += uint64(account.retained)
		if t := account.times[len(account.times)-1]; !account.stays(t, l.end) {
			h.Away++
		}
		e := Heard{Device: g.DeviceID(sim.Ordinal(r)), From: f.Name, Stream: l.streamName(offender{fleet: uint16(from), stream: stream})}
		one := pairing{l: l, h: h, from: from, stream: stream, to: to, r: sim.Ordinal(r), account: account,
			kept: account.windows(float64(binding.Session.D().Milliseconds())), clean: account.windows(0), grace: grace}
		one.each(subs, which, &e)
		h.by[r] = e.Deliveries
		h.Add(&e.Deliveries)
		if !e.clean() {
			evidence = append(evidence, e)
		}
	}
	if !matched {
		return nil, nil
	}
	return h, evidence
}

// stays reports whether the receiver's last connection lasted to the end of the run.
func (r *Receiver) stays(last presence, end sim.Instant) bool {
	return last.open || time.Duration(last.to)*time.Millisecond+MaxGrace >= end
}

// pairing judges one receiver with all senders of a stream.
type pairing struct {
	l           *Ledger
	h           *Hearing
	from        int
	stream      sim.Stream
	to          int
	r           sim.Ordinal
	account     *Receiver
	kept, clean []window
	grace       time.Duration
}

// each judges each sender that one of the subscriptions is to; which says which those are.
func (p *pairing) each(subs []subscription, which []int64, e *Heard) {
	lo, hi := int64(0), int64(p.l.plan.Fleets[p.from].Count)-1
	if !slices.Contains(which, matchAll) {
		lo, hi = slices.Min(which), slices.Max(which)
	}
	for o := lo; o <= hi; o++ {
		qos, matching := byte(0), 0
		for i := range subs {
			if which[i] == matchAll || which[i] == o {
				qos = max(qos, subs[i].qos)
				matching++
			}
		}
		if matching > 0 {
			p.pair(sim.Ordinal(o), qos, matching > 1, e)
		}
	}
}

// pair judges one sender.
func (p *pairing) pair(o sim.Ordinal, qos byte, overlaps bool, e *Heard) {
	l := p.l
	heard := p.account.of(senderOf(&sim.Stamp{Fleet: uint16(p.from), Stream: p.stream, Device: o}))
	if l.missing(p.from, int(p.stream), uint32(o)) {
		p.h.Missing++
		return
	}
	a := &l.accounts[p.from][p.stream][o]
	s := subject{windows: p.kept, near: p.clean, qos: p.account.granted(qos), ordered: true}
	if min(a.top, qos) == 0 { // what is sent at QoS 0 need not be kept for one who is away
		s.windows = p.clean
	}
	if p.account.blurred {
		s.windows = nil
	}
	if l.apart(&l.plan.Fleets[p.from], o, &l.plan.Fleets[p.to], p.r) {
		s.windows = nil
		p.h.Apart++
	}
	if heard != nil {
		s.got = &heard.got
	}
	var missing Set
	d := l.hear(a, s, p.grace, &missing)
	if heard != nil {
		d.Twice, d.Again, d.Reordered = uint64(heard.twice), uint64(heard.again), uint64(heard.reordered)
		if overlaps {
			d.Again, d.Twice = d.Again+d.Twice, 0
		}
	}
	if d.Lost > 0 && len(e.Missing) < maxMissing {
		e.Missing = joinMissing(e.Missing, l.plan.Fleets[p.from].DeviceID(o), &missing)
	}
	e.Add(&d)
}

const maxMissing = 2000 // bytes of what is listed for a receiver

func joinMissing(list, device string, missing *Set) string {
	text := fmt.Sprintf("%s: %s", device, missing.short())
	switch {
	case list == "":
		return text
	case len(list)+len(text) > maxMissing:
		return list + "; ..."
	}
	return list + "; " + text
}
