package ledger

import (
	"cmp"
	"slices"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// group is a shared subscription, "$share/<name>/<filter>": each message is for one of its members.
type group struct {
	name, filter string
	members      []who
	qos          byte
	talks        map[sender][]talk // who heard a sender
}

// talk is a member that heard a sender, with what the broker may not know of that to be heard.
type talk struct {
	who
	pair uint32
	edge []uint32 // numbers
}

// listen finds who of a group heard whom, in one pass over what was heard: not every member heard every sender.
func (l *Ledger) listen(g *group) {
	g.talks = make(map[sender][]talk)
	for _, m := range g.members {
		account := &l.receivers[m.fleet].accounts[m.o]
		edges := make(map[uint32][]uint32)
		for _, e := range account.edge {
			edges[e.pair] = append(edges[e.pair], e.seq)
		}
		for from, pair := range account.places {
			g.talks[from] = append(g.talks[from], talk{m, pair, edges[pair]})
		}
	}
}

// who is a member of a group.
type who struct {
	fleet int
	o     sim.Ordinal
}

// groups are the shared subscriptions of all fleets.
func (l *Ledger) groups() []*group {
	type key struct{ name, filter string }
	known := make(map[key]*group)
	for fleet := range l.plan.Fleets {
		f := &l.plan.Fleets[fleet]
		for r := range l.receivers[fleet].accounts {
			for _, s := range f.Data().MQTT.Subscribe {
				sub := subscriptionOf(f, s, sim.Ordinal(r))
				if sub.group == "" {
					continue
				}
				k := key{sub.group, sub.filter}
				if known[k] == nil {
					known[k] = &group{name: sub.group, filter: sub.filter, qos: sub.qos}
				}
				g := known[k]
				g.qos = min(g.qos, sub.qos)
				g.members = append(g.members, who{fleet, sim.Ordinal(r)})
			}
		}
	}
	list := make([]*group, 0, len(known))
	for _, g := range known {
		l.listen(g)
		list = append(list, g)
	}
	slices.SortFunc(list, func(a, b *group) int { return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.filter, b.filter)) })
	return list
}

// closeGroups judges what shared groups heard, each as a whole.
func (l *Ledger) closeGroups(grace time.Duration) (all []Hearing, evidence []Heard) {
	for _, g := range l.groups() {
		for from := range l.plan.Fleets {
			for n := range l.streams[from] {
				if h, e := l.hearingOf(g, from, sim.Stream(n), grace); h != nil {
					all = append(all, *h)
					if !e.clean() {
						evidence = append(evidence, *e)
					}
				}
			}
		}
	}
	return all, evidence
}

// hearingOf judges what a group heard of a stream; nil if it does not subscribe to it.
func (l *Ledger) hearingOf(g *group, from int, stream sim.Stream, grace time.Duration) (*Hearing, *Heard) {
	f, spec := &l.plan.Fleets[from], &l.streams[from][stream]
	which := match(g.filter, f, spec.Topic)
	if b := f.Binding(spec.Role); !spec.Telemetry() || b == nil || b.Channel != sim.ChannelMQTT || which == matchNone {
		return nil, nil
	}
	h := &Hearing{From: from, Stream: stream, Group: g.name + "/" + g.filter}
	e := &Heard{Device: "$share/" + h.Group, From: f.Name, Stream: l.streamName(offender{fleet: uint16(from), stream: stream})}
	crews := make(map[site]*crew)
	qos := g.qos
	for _, m := range g.members {
		if !slices.Contains(h.To, m.fleet) {
			h.To = append(h.To, m.fleet)
		}
		if l.receiverMissing(m.fleet, m.o) {
			h.Missing++
			continue
		}
		account := &l.receivers[m.fleet].accounts[m.o]
		if !h.stands(m.fleet, l.plan.Fleets[m.fleet].Count, m.o, account) {
			continue
		}
		if t := account.times[len(account.times)-1]; !account.stays(t, l.end) {
			h.Away++
		}
		qos = account.granted(qos)
		to := &l.plan.Fleets[m.fleet]
		at := l.siteOf(to, m.o)
		if crews[at] == nil {
			crews[at] = new(crew)
		}
		if !account.blurred {
			crews[at].join(account, float64(to.Data().Session.D().Milliseconds()))
		}
	}
	for _, c := range crews {
		c.meet()
	}
	accounted := h.Missing == 0 // else one of those may have had what seems lost
	for o := range f.Count {
		if which != matchAll && which != int64(o) {
			continue
		}
		if l.missing(from, int(stream), uint32(o)) {
			h.Missing++
			continue
		}
		a := &l.accounts[from][stream][o]
		s := subject{qos: qos}
		switch c := crews[l.siteOf(f, sim.Ordinal(o))]; {
		case c == nil && len(crews) > 0:
			h.Apart++
		case c != nil && accounted:
			s.windows, s.near = c.owed(min(a.top, qos)), c.near
		}
		got, d := l.shared(g, senderOf(&sim.Stamp{Fleet: uint16(from), Stream: stream, Device: sim.Ordinal(o)}))
		s.got = got
		var missing Set
		heard := l.hear(a, s, grace, &missing)
		d.Add(&heard)
		if heard.Lost > 0 && len(e.Missing) < maxMissing {
			e.Missing = joinMissing(e.Missing, f.DeviceID(sim.Ordinal(o)), &missing)
		}
		e.Add(&d)
	}
	h.Deliveries = e.Deliveries
	return h, e
}

// shared is what the members of a group got of a sender together. A message that two of them got came twice, but
// not where one lost its connection so soon after that the broker may not have had its answer (5 section 4.8.2).
func (l *Ledger) shared(g *group, from sender) (all *Set, d Deliveries) {
	all = new(Set)
	var several Set // got by more than one
	for _, m := range g.talks[from] {
		account := &l.receivers[m.fleet].accounts[m.o]
		h := &account.pairs[m.pair]
		d.Twice += uint64(h.twice)
		d.Again += uint64(h.again)
		both, too := new(Set), new(Set)
		sweep([]*Set{all, &h.got, &several}, func(lo, hi uint32, m member) {
			if m.in(3) {
				both.push(lo, hi)
			}
			if m.in(1) && m.in(2) || m.in(4) {
				too.push(lo, hi)
			}
			if m.in(1) && m.in(2) {
				d.Twice += uint64(hi-lo) + 1
			}
		})
		all, several = both, *too
	}
	if several.spans() == 0 {
		return all, d
	}
	var excused Set
	for _, m := range g.talks[from] {
		for _, seq := range m.edge {
			if several.Has(seq) && excused.Add(seq) {
				d.Again++
				d.Twice--
			}
		}
	}
	return all, d
}
