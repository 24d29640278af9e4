package judge

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// hearing is what subscribing devices that a claim is about were entitled to, and got.
type hearing struct {
	ledger.Deliveries
	flows   int // subscriptions to what a fleet sends
	missing int // receivers, and senders, whose account never came
	away    int // receivers that were not connected at the end
	apart   int
	asked   map[int][]ledger.Standing // of the devices of each fleet that were to hear: whether they could
	bad     []offender                // receivers with what is claimed not to be
	named   map[string]int            // where in bad
}

// offender is a receiver, or a group, and how much it has of what is claimed not to be.
type offender struct {
	name string
	n    uint64
}

// hearing adds up what the devices of a selection heard: of one fleet, or of all where from is empty; by shared
// subscriptions, by others, or by both. Members of a shared group count as a whole. Receivers are named by bad.
func (j *judge) hearing(s *sim.Selection, from string, own, shared bool, bad func(*ledger.Deliveries) uint64) (h hearing) {
	fleet := j.in.Plan.FleetIndex(s.Fleet)
	if fleet < 0 {
		return h
	}
	key, n := sim.FleetKey(j.in.Plan.Seed, fleet), j.in.Plan.Fleets[fleet].Count
	for i := range j.in.Ledger.Hearings {
		of := &j.in.Ledger.Hearings[i]
		if !slices.Contains(of.To, fleet) || from != "" && j.in.Plan.Fleets[of.From].Name != from || of.Group == "" && !own || of.Group != "" && !shared {
			continue
		}
		h.flows++
		h.missing, h.away, h.apart = h.missing+of.Missing, h.away+of.Away, h.apart+of.Apart
		if of.Group != "" {
			h.Add(&of.Deliveries)
			h.name("$share/"+of.Group, bad(&of.Deliveries))
			j.stands(&h, of)
			continue
		}
		for o := range n {
			if _, in := s.Rank(key, sim.Ordinal(o), n); in {
				d := of.By(sim.Ordinal(o))
				h.Add(&d)
				h.stand(fleet, n, sim.Ordinal(o), of.Standing(fleet, sim.Ordinal(o)))
				h.name(j.in.Plan.Fleets[fleet].DeviceID(sim.Ordinal(o)), bad(&d))
			}
		}
	}
	return h
}

func (h *hearing) name(receiver string, bad uint64) {
	if bad == 0 {
		return
	}
	if i, ok := h.named[receiver]; ok {
		h.bad[i].n += bad
		return
	}
	if h.named == nil {
		h.named = make(map[string]int)
	}
	h.named[receiver] = len(h.bad)
	h.bad = append(h.bad, offender{receiver, bad})
}

// worst names at most three receivers, the worst first.
func (h *hearing) worst() string {
	list := slices.Clone(h.bad)
	slices.SortStableFunc(list, func(a, b offender) int { return cmp.Compare(b.n, a.n) })
	text := ""
	for i, o := range list {
		switch {
		case i == 0:
			text = o.name
		case i == 3:
			return text + ", ..."
		default:
			text += ", " + o.name
		}
	}
	return text
}

func lostOf(d *ledger.Deliveries) uint64  { return d.Lost }
func twiceOf(d *ledger.Deliveries) uint64 { return d.Twice }

// ours is how much of what the receivers lost our own side may have been why of, in a view of the run without it.
func (h *hearing) ours(j *judge) uint64 {
	if j.view != withoutStalls || j.counted() {
		return 0
	}
	return h.Held
}

// reaches judges that what a fleet sends reaches each device of another that subscribes to it.
func (j *judge) reaches(f *finding) {
	h := j.hearing(f.Check.Select, f.Check.From, true, false, lostOf)
	j.heardAll(f, &h, h.Lost, 0, fmt.Sprintf("%d of %d lost", h.Lost, h.Owed))
}

// shared judges that what a fleet sends reaches exactly one member of each shared group.
func (j *judge) shared(f *finding) {
	h := j.hearing(f.Check.Select, f.Check.From, false, true, func(d *ledger.Deliveries) uint64 { return d.Lost + d.Twice })
	j.heardAll(f, &h, h.Lost, h.Twice, fmt.Sprintf("%d of %d reached no member, %d more than one, or one twice", h.Lost, h.Owed, h.Twice))
}

// receives judges that nothing for the selected devices is lost, or comes twice.
func (j *judge) receives(f *finding) {
	if f.Check.Column == "duplicated" {
		h := j.hearing(f.Check.Select, "", true, true, twiceOf)
		j.heardAll(f, &h, 0, h.Twice, fmt.Sprintf("%d copies beyond the first", h.Twice))
		return
	}
	h := j.hearing(f.Check.Select, "", true, true, lostOf)
	j.heardAll(f, &h, h.Lost, 0, fmt.Sprintf("%d of %d lost", h.Lost, h.Owed))
}

// heardAll judges that none of the deliveries that were owed is lost, or came twice. Whatever our own side did, no
// copy of a message is its doing.
func (j *judge) heardAll(f *finding, h *hearing, lost, twice uint64, what string) {
	lost -= min(lost, h.ours(j))
	bad := lost + twice
	standing := j.standing(h)
	switch {
	case h.flows == 0:
		f.skip("no device of %q subscribes to what is claimed", f.Check.Select.Fleet)
		return
	case bad == 0 && h.Owed == 0:
		f.skip("nobody was owed a message: %s", join(standing, h.open()))
		return
	}
	f.claim(float64(bad), sim.Exactly, 0, int64(h.Owed), "deliveries")
	if bad > 0 {
		f.Note = what
		if names := h.worst(); names != "" {
			f.Note += ": " + names
		}
		if h.away > 0 {
			f.Note = join(f.Note, fmt.Sprintf("%d receivers were not connected at the end", h.away))
		}
		j.overflow(f, queuesOfReceivers, func(dropped uint64) bool { return twice == 0 && lost <= min(dropped, h.Near) })
	}
	switch open := join(standing, h.open()); {
	case bad > 0:
		f.Note = join(f.Note, standing)
	case h.missing > 0 || (h.Unsettled > 0 || standing != "") && f.Check.Column != "duplicated":
		f.skip("%s", open)
	case open != "":
		f.Note = join(f.Note, open)
	}
}

// open says what is not known.
func (h *hearing) open() string {
	text := many("", h.missing, neverCame)
	text = many(text, h.Unsettled, "%d messages may have been on their way when their receivers left")
	text = many(text, h.Unknown, "%d messages were sent while their receivers began to subscribe and are not counted")
	return many(text, h.apart, atOthers)
}

// What receivers have in common that is not known.
const (
	neverCame = "the accounts of %d receivers or senders never came"
	atOthers  = "%d pairs of sender and receiver are at different brokers, and nothing is claimed of them"
)

// many is a text, and more of it that says of how many things something is true, unless there is none.
func many[N int | uint64](text string, n N, format string) string {
	if n == 0 {
		return text
	}
	return join(text, fmt.Sprintf(format, n))
}

// receivers is what all subscribing devices of the run heard of messages of a QoS (nil is any) and a fleet (empty is
// any).
func (j *judge) receivers(qos *byte, from string) (h hearing, lost, owed, unsettled uint64) {
	for i := range j.in.Ledger.Hearings {
		of := &j.in.Ledger.Hearings[i]
		if from != "" && j.in.Plan.Fleets[of.From].Name != from {
			continue
		}
		h.flows++
		h.missing, h.away = h.missing+of.Missing, h.away+of.Away
		h.Add(&of.Deliveries)
		j.stands(&h, of)
		for q := range of.LostQoS {
			if qos == nil || int(*qos) == q {
				lost, owed, unsettled = lost+of.LostQoS[q], owed+of.OwedQoS[q], unsettled+of.UnsettledQoS[q]
			}
		}
	}
	return h, lost, owed, unsettled
}

// withReceivers lets a claim that no message is lost cover what the story's own subscribing devices lost; any other
// claim of loss says that it does not.
func (j *judge) withReceivers(f *finding) {
	c := f.Check
	h, lost, owed, unsettled := j.receivers(c.QoS, c.Fleet)
	open := join(j.standing(&h), h.open())
	lost -= min(lost, h.ours(j))
	none := c.Limit == 0 && (c.Bound == sim.Exactly || c.Bound == sim.AtMost)
	switch {
	case h.flows == 0 || owed == 0 && open == "":
	case !none:
		if lost > 0 {
			f.Note = join(f.Note, fmt.Sprintf("%d deliveries to the story's own subscribers are lost, which this claim does not count", lost))
		}
	case lost > 0:
		before := f.Verdict
		note := join(f.Note, fmt.Sprintf("%d of %d deliveries to the story's own subscribers are lost: see its receivers", lost, owed))
		value, n := f.Value, f.N
		if c.Share {
			value = max(value, percent(lost, owed))
		} else {
			value += float64(lost)
		}
		f.claim(value, c.Bound, 0, n+int64(owed), f.Unit)
		f.Note = note
		j.overflow(f, queuesOfReceivers, func(dropped uint64) bool { return before != reports.Failed && lost <= min(dropped, h.Near) })
	case f.Verdict == reports.Passed && (h.missing > 0 || unsettled > 0 || h.blurred()):
		f.skip("whether a delivery to the story's own subscribers is lost is not known: %s", open)
	default:
		f.N += int64(owed)
		f.Note = join(f.Note, fmt.Sprintf("with %d deliveries to the story's own subscribers", owed))
		f.Note = join(f.Note, open)
	}
}
