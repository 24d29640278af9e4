package reports

import (
	"slices"
	"sync"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// Commands is the ledger of what devices were told: which commands were sent, and which of them were
// answered, once or more often. It is exact and knows every command by its number in the plan, 32
// bytes each, which are allocated at the start. Its methods may be called from several goroutines.
//
// A device's answer repeats the stamp of its command. Over MQTT the answer is what a subscriber to the
// answers received; the journal of an embedded broker, which holds the command too, is not asked. Over
// CoAP the server's journal has the command first, as it was put there, and then the answers.
type Commands struct {
	plan *sim.Plan
	run  uint32
	rec  sim.Recorder
	warm sim.Instant

	mu      sync.Mutex
	closed  bool
	bases   map[int]uint32
	told    []told // by number
	waiting int
	totals  CommandTotals
}

// told is one command.
type told struct {
	due, answered sim.Instant
	device        sim.Ordinal
	fleet         uint16
	state         toldState
	copies        uint8 // sightings, up to 255
}

type toldState uint8

const (
	toldPlanned toldState = iota
	toldSent
	toldUnsent
)

// CommandTotals are the columns of the ledger of commands. Due = Sent + Unsent and Sent = Answered +
// Unanswered.
type CommandTotals struct {
	Due        uint64 `json:"due"`        // commands whose instant came
	Sent       uint64 `json:"sent"`       // handed to the broker or server
	Unsent     uint64 `json:"unsent"`     // refused by it, or it was not there
	Answered   uint64 `json:"answered"`   // answered at least once
	Duplicated uint64 `json:"duplicated"` // answers beyond the first of a command
	Unanswered uint64 `json:"unanswered"` // no answer came by the end
	Phantom    uint64 `json:"phantom"`    // answers to what was never sent, or of another device

	measured uint64 // of Due, those after the warm-up
	within   []answeredBy
}

// answeredBy is the number of measured commands that were answered within a limit.
type answeredBy struct {
	limit time.Duration
	n     uint64
}

// NewCommands opens the ledger of the plan's commands. Answers are passed on to rec as samples of
// [sim.OpCommand]; what was never answered is, when the ledger is closed, as [sim.AppUnanswered].
func NewCommands(p *sim.Plan, run uint32, rec sim.Recorder) *Commands {
	c := &Commands{plan: p, run: run, rec: rec, warm: micro(p.WarmUp.D()), bases: map[int]uint32{}}
	n := 0
	for i := range p.Acts {
		a := &p.Acts[i]
		if a.Kind != sim.ActCommand {
			continue
		}
		c.bases[i] = uint32(n)
		if f := p.FleetIndex(a.Select.Fleet); f >= 0 {
			n += a.Select.Size(p.Fleets[f].Count)
		}
	}
	c.told = make([]told, n)
	for _, k := range p.Checks {
		is := func(b answeredBy) bool { return b.limit == k.Within.D() }
		if k.Kind == sim.CheckAnswered && !slices.ContainsFunc(c.totals.within, is) {
			c.totals.within = append(c.totals.within, answeredBy{limit: k.Within.D()})
		}
	}
	return c
}

// Base is the number of an act's first command; those of the others follow by rank.
func (c *Commands) Base(act int) uint32 { return c.bases[act] }

// Sent says that command seq, due at due, is handed over at at, as it could be from ready on. It must be
// called before the command can be answered. A number that the plan does not have, or that was told
// before, is ignored.
func (c *Commands) Sent(seq uint32, fleet uint16, o sim.Ordinal, due, ready, at sim.Instant) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || int(seq) >= len(c.told) || c.told[seq].state != toldPlanned {
		return
	}
	due = micro(due) // as the stamp has it
	c.told[seq] = told{due: due, device: o, fleet: fleet, state: toldSent}
	c.totals.Due++
	c.totals.Sent++
	c.waiting++
	if due >= c.warm {
		c.totals.measured++
	}
	c.rec.Record(&sim.Sample{
		Op: sim.OpCommand, Fleet: fleet, Device: o, Due: due, Ready: ready, Sent: at, Done: at, Attempts: 1, Unanswered: true,
	})
}

// Failed says that command seq, which was said to be sent, did not get through after all.
func (c *Commands) Failed(seq uint32, outcome sim.Outcome, at sim.Instant) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || int(seq) >= len(c.told) {
		return
	}
	t := &c.told[seq]
	if t.state != toldSent || t.answers(c.coap(t.fleet)) > 0 { // it got through
		return
	}
	t.state = toldUnsent
	c.waiting--
	c.totals.Sent--
	c.totals.Unsent++
	c.rec.Record(&sim.Sample{
		Op: sim.OpCommand, Fleet: t.fleet, Device: t.device, Due: t.due, Ready: t.due, Sent: t.due, Done: at, Attempts: 1,
		Outcome: outcome,
	})
}

// See implements [sim.Witness]. Stamps of other runs, and of reports, are ignored, and so are
// sightings after Close.
func (c *Commands) See(s sim.Sighting) {
	fleet := s.Stamp.Fleet &^ sim.CommandBit
	if s.Stamp.Fleet&sim.CommandBit == 0 || s.Stamp.Run != c.run || int(fleet) >= len(c.plan.Fleets) ||
		s.Stored != c.coap(fleet) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	if int(s.Stamp.Seq) >= len(c.told) {
		c.totals.Phantom++
		return
	}
	t := &c.told[s.Stamp.Seq]
	if t.state == toldPlanned || t.fleet != fleet || t.device != s.Stamp.Device {
		c.totals.Phantom++
		return
	}
	t.copies = min(t.copies, 254) + 1
	switch n := t.answers(c.coap(fleet)); {
	case n == 0: // the command itself
		return
	case n > 1:
		c.totals.Duplicated++
		return
	case t.state == toldUnsent: // it got through, whatever the broker said
		t.state = toldSent
		c.totals.Unsent--
		c.totals.Sent++
	default:
		c.waiting--
	}
	t.answered = s.At
	c.totals.Answered++
	if t.due >= c.warm {
		for i := range c.totals.within {
			if s.At-t.due <= c.totals.within[i].limit {
				c.totals.within[i].n++
			}
		}
	}
	c.rec.Record(&sim.Sample{
		Op: sim.OpCommand, Fleet: fleet, Device: t.device, Due: t.due, Ready: t.due, Sent: t.due, Done: s.At, Attempts: 1,
	})
}

// answers is the number of answers among the sightings.
func (t *told) answers(coap bool) int {
	n := int(t.copies)
	if coap {
		n--
	}
	return max(n, 0)
}

func (c *Commands) coap(fleet uint16) bool {
	return c.plan.Fleets[fleet].Data().Channel == sim.ChannelCoAP
}

// Waiting is how many commands are sent and not answered yet.
func (c *Commands) Waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.waiting
}

// Snapshot is the totals so far; nothing is called unanswered yet.
func (c *Commands) Snapshot() CommandTotals {
	c.mu.Lock()
	defer c.mu.Unlock()
	totals := c.totals
	totals.within = nil
	return totals
}

// Close ends the ledger at end and returns its totals. What is not answered is recorded, so the
// recorder's last snapshot has to come after it.
func (c *Commands) Close(end sim.Instant) *CommandTotals {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.closed = true
		for i := range c.told {
			t := &c.told[i]
			if t.state != toldSent || t.answers(c.coap(t.fleet)) > 0 {
				continue
			}
			c.totals.Unanswered++
			c.rec.Record(&sim.Sample{
				Op: sim.OpCommand, Fleet: t.fleet, Device: t.device, Due: t.due, Ready: t.due, Sent: t.due, Done: end, Attempts: 1,
				Outcome: sim.AppUnanswered,
			})
		}
	}
	totals := c.totals
	totals.within = slices.Clone(c.totals.within)
	return &totals
}
