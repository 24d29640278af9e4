package ledger

import (
	"github.com/myriad-iot/myriad/sim"
)

// Commands are messages like others. The commands that Myriad's operator sends to a device are one stream of
// it; the answers are the next stream, each with the number of its command. Over MQTT an answer counts when a
// subscriber to the answers receives it; the journal of an embedded broker does not count, because it also
// holds the command. Over CoAP the server's journal counts.

// command is a command that was handed over and is not answered yet.
type command struct {
	fleet  uint16
	device sim.Ordinal
	seq    uint32
}

// CommandTotals are the columns of the ledger of commands. Due = Sent + Unsent and Sent = Answered +
// Unanswered.
type CommandTotals struct {
	Due        uint64 `json:"due"`        // commands that came due
	Sent       uint64 `json:"sent"`       // handed to the broker or server
	Unsent     uint64 `json:"unsent"`     // refused by it, or it could not be reached
	Answered   uint64 `json:"answered"`   // answered at least once
	Duplicated uint64 `json:"duplicated"` // answers beyond the first of a command
	Unanswered uint64 `json:"unanswered"` // no answer came by the end
	Phantom    uint64 `json:"phantom"`    // answers to what was never sent, or of another device
}

// Told says that the command with this stamp is handed to the broker or server at the instant at; ready is
// when that was first possible. It must be called before the command can be answered. A second call for the
// same command is ignored.
func (l *Ledger) Told(s *sim.Stamp, ready, at sim.Instant) {
	sh := &l.shards[uint32(s.Device)%ledgerShards]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	a := &l.accounts[s.Fleet][s.Stream][s.Device]
	if sh.closed || a.sent[0].Has(s.Seq) || a.sent[1].Has(s.Seq) {
		return
	}
	due := Micro(s.Due) // as the stamp has it
	a.Due(s.Seq)
	a.Sent(s.Seq, l.streams[s.Fleet][s.Stream].QoS, at)
	if due >= l.warm {
		sh.asked++
	}
	if sh.told == nil {
		sh.told = make(map[command]sim.Instant)
	}
	sh.told[command{s.Fleet, s.Device, s.Seq}] = due
	sh.sample = sim.Sample{
		Op: sim.OpCommand, Fleet: s.Fleet, Device: s.Device, Due: due, Ready: ready, Sent: at, Done: at, Attempts: 1, Unanswered: true,
	}
	l.rec.Record(&sh.sample)
}

// Taken says that the broker or server acknowledged a command.
func (l *Ledger) Taken(s *sim.Stamp, at sim.Instant) {
	sh := &l.shards[uint32(s.Device)%ledgerShards]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if !sh.closed {
		l.accounts[s.Fleet][s.Stream][s.Device].Acked(s.Seq, at)
	}
}

// Refused says that a command for which Told was called was not delivered. It is ignored for a command that
// was answered.
func (l *Ledger) Refused(s *sim.Stamp, o sim.Outcome, at sim.Instant) {
	sh := &l.shards[uint32(s.Device)%ledgerShards]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	k := command{s.Fleet, s.Device, s.Seq}
	due, open := sh.told[k]
	if sh.closed || !open { // not open: it was answered, so it was delivered
		return
	}
	delete(sh.told, k)
	l.accounts[s.Fleet][s.Stream][s.Device].Refused(s.Seq)
	stamp := *s
	stamp.Due = due
	l.record(sh, sim.OpCommand, &stamp, at, o)
}

// answer handles a sighting of a command or of its answer. The caller holds the lock of the shard. A device
// may answer with the stamp of the command itself, which a subscriber to the answers then sees.
func (l *Ledger) answer(sh *ledgerShard, s *sim.Sighting) {
	stamp := s.Stamp
	spec := &l.streams[stamp.Fleet][stamp.Stream]
	overCoAP := l.plan.Fleets[stamp.Fleet].Binding(spec.Role).Channel == sim.ChannelCoAP
	if s.Stored != overCoAP || spec.Down && s.Stored {
		return
	}
	down, up := stamp.Stream, stamp.Stream
	if spec.Down {
		up++
	} else {
		down--
	}
	if int(up) >= len(l.streams[stamp.Fleet]) || !l.streams[stamp.Fleet][up].Answer {
		sh.strays++
		return
	}
	c := received
	if s.Stored {
		c = stored
	}
	told := &l.accounts[stamp.Fleet][down][stamp.Device]
	due := uint32(0)
	if told.sent[0].Has(stamp.Seq) || told.sent[1].Has(stamp.Seq) {
		due = stamp.Seq + 1
	}
	first, _ := l.receipts[stamp.Fleet][up][stamp.Device].see(c, stamp.Seq, due)
	if !first {
		return
	}
	delete(sh.told, command{stamp.Fleet, stamp.Device, stamp.Seq})
	l.inTime(sh, s, true)
	l.record(sh, sim.OpCommand, &stamp, s.At, sim.OK)
}

// Waiting is the number of commands that were handed over and are not answered yet.
func (l *Ledger) Waiting() (n int) {
	for i := range l.shards {
		sh := &l.shards[i]
		sh.mu.Lock()
		n += len(sh.told)
		sh.mu.Unlock()
	}
	return n
}

// closeCommands computes the totals of commands and answers, nil if there were none, and corrects those of their
// streams: what could not be handed over was told of before it was tried. The caller holds the locks of all shards.
// It records each command without an answer, so the recorder's last snapshot must come after it.
func (l *Ledger) closeCommands(end sim.Instant, streams []StreamTotals) *CommandTotals {
	var all CommandTotals
	for i := range streams {
		s := &streams[i]
		fleet, n := s.Fleet, int(s.Stream)
		if !l.streams[fleet][n].Down {
			continue
		}
		var t CommandTotals
		for o := range l.accounts[fleet][n] {
			var far *receipt
			if n+1 < len(l.receipts[fleet]) && l.streams[fleet][n+1].Answer {
				far = &l.receipts[fleet][n+1][o]
			}
			t.count(&l.accounts[fleet][n][o], far)
		}
		s.Sent, s.Unsent, s.Refused = t.Sent, t.Unsent, 0
		all.add(&t)
	}
	for i := range l.shards {
		sh := &l.shards[i]
		for k, due := range sh.told {
			l.record(sh, sim.OpCommand, &sim.Stamp{Fleet: k.fleet, Device: k.device, Due: due}, end, sim.AppUnanswered)
		}
		sh.told = nil
	}
	if all == (CommandTotals{}) {
		return nil
	}
	return &all
}

// add adds the commands of another stream.
func (t *CommandTotals) add(u *CommandTotals) {
	t.Due += u.Due
	t.Sent += u.Sent
	t.Unsent += u.Unsent
	t.Answered += u.Answered
	t.Duplicated += u.Duplicated
	t.Unanswered += u.Unanswered
	t.Phantom += u.Phantom
}

// count adds one device's commands, and what the far end saw of its answers.
func (t *CommandTotals) count(a *Account, far *receipt) {
	var none receipt
	if far == nil {
		far = &none
	}
	const ( // by their place in sets
		told     member = 1<<0 | 1<<1
		refused  member = 1 << 2
		answered member = 1<<3 | 1<<4
	)
	sets := [...]*Set{&a.sent[0], &a.sent[1], &a.rest().refused, &far.seen[received], &far.seen[stored]}
	sweep(sets[:], func(lo, hi uint32, m member) {
		n := uint64(hi-lo) + 1
		switch {
		case !m.in(told):
			return
		case m.in(answered):
			t.Sent += n
			t.Answered += n
		case m.in(refused):
			t.Unsent += n
		default:
			t.Sent += n
			t.Unanswered += n
		}
		t.Due += n
	})
	t.Duplicated += uint64(max(far.duplicated[received], far.duplicated[stored]))
	if far.phantom != nil {
		t.Phantom += far.phantom.Len()
	}
}
