package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/myriad-iot/myriad/sim"
)

// Accounts are the accounts of one shard's devices, kept in the process of the devices. When the devices have
// stopped, [Accounts.Pack] encodes them and [Ledger.Merge] adds them to the ledger.
type Accounts struct {
	shard, shards int
	streams       [][]sim.StreamSpec // by fleet
	fleets        [][][]Account      // by fleet and stream
	journeys      [][]journeys       // by fleet and number
	receivers     [][]Receiver       // by fleet; nil for one that does not subscribe
	willAccounts  [][]WillAccount    // by fleet; nil for one without wills of its own
	sessions      [][]Session        // by fleet; nil for one that does not report by MQTT
	watch         watch
}

// NewAccounts opens the accounts of the devices whose ordinal is shard modulo shards.
func NewAccounts(p *sim.Plan, shard, shards int) *Accounts {
	a := &Accounts{shard: shard, shards: shards}
	for i := range p.Fleets {
		n := max(0, p.Fleets[i].Count-shard+shards-1) / shards
		streams := p.Fleets[i].Streams()
		accounts := make([][]Account, len(streams))
		for k := range streams {
			if !streams[k].Down { // its sender, which is not the device, accounts for it
				accounts[k] = a.watch.accounts(n)
				keepTime(p, i, k, accounts[k])
			}
		}
		a.streams, a.fleets = append(a.streams, streams), append(a.fleets, accounts)
		a.journeys = append(a.journeys, newJourneys(p, i, n))
		a.receivers = append(a.receivers, keepLate(p, newReceivers(&p.Fleets[i], n)))
		a.willAccounts = append(a.willAccounts, newWillAccounts(&p.Fleets[i], n))
		a.sessions = append(a.sessions, newSessions(&p.Fleets[i], n))
	}
	return a
}

// Account is the account of one stream of a device, which must be in the shard; nil if the device does not
// send the stream but receives it.
func (a *Accounts) Account(fleet int, s sim.Stream, o sim.Ordinal) *Account {
	if a.streams[fleet][s].Down {
		return nil
	}
	return &a.fleets[fleet][s][int(o)/a.shards]
}

// packed is about how large a piece of Pack is, in bytes.
const packed = 256 << 10

// Pack calls f with all accounts in pieces, each of which Merge takes alone and in any order. f must
// not keep the piece. An error of f ends it and is returned. The devices must have stopped.
func (a *Accounts) Pack(f func(piece []byte) error) error {
	b := make([]byte, 0, packed+packed/8)
	var err error
	add := func(fleet, number, i int, account interface{ append([]byte) []byte }) {
		if err != nil {
			return
		}
		b = binary.AppendUvarint(b, uint64(fleet))
		b = binary.AppendUvarint(b, uint64(number))
		b = binary.AppendUvarint(b, uint64(i*a.shards+a.shard))
		if b = account.append(b); len(b) >= packed {
			err = f(b)
			b = b[:0]
		}
	}
	for fleet := range a.fleets {
		for stream := range a.fleets[fleet] {
			for i := range a.fleets[fleet][stream] {
				add(fleet, stream, i, &a.fleets[fleet][stream][i])
			}
		}
		for n := range a.journeys[fleet] {
			for i := range a.journeys[fleet][n].accounts {
				add(fleet, firstJourney+n, i, &a.journeys[fleet][n].accounts[i])
			}
		}
		for i := range a.receivers[fleet] {
			for _, part := range a.receivers[fleet][i].split() {
				add(fleet, receiverNumber, i, part)
			}
		}
		for i := range a.willAccounts[fleet] {
			add(fleet, willAccountNumber, i, &a.willAccounts[fleet][i])
		}
		for i := range a.sessions[fleet] {
			add(fleet, sessionNumber, i, &a.sessions[fleet][i])
		}
	}
	if len(b) == 0 || err != nil {
		return err
	}
	return f(b)
}

func (a *Account) append(b []byte) []byte {
	for _, n := range [...]uint32{a.first, a.due.Load(), a.dropped, a.resent, uint32(a.top)} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	for i := range a.sent {
		b = a.sent[i].append(b)
	}
	b = a.acked.append(b)
	b = a.rest().append(b)
	b = binary.AppendUvarint(b, uint64(len(a.tail)))
	for _, m := range a.tail {
		b = binary.AppendUvarint(b, uint64(m.seq))
		b = binary.AppendUvarint(b, uint64(m.ms))
	}
	return b
}

// append writes the set as the number of its intervals and, for each, the distance from the end of
// the one before and its length.
func (s *Set) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(s.spans()))
	next := uint32(0)
	for i := range s.spans() {
		r := s.at(i)
		b = binary.AppendUvarint(b, uint64(r.lo-next))
		b = binary.AppendUvarint(b, uint64(r.n))
		next = r.hi()
	}
	return b
}

var errAccounts = errors.New("accounts are cut short or damaged")

// Merge enters what Pack made, for streams of devices that the ledger does not have an account of yet. One
// that it has already is left as it is: a piece may come twice.
func (l *Ledger) Merge(piece []byte) error {
	r := unpacker{b: piece}
	for len(r.b) > 0 {
		fleet, stream, device := r.number(), r.number(), r.number()
		if !r.bad && stream == receiverNumber {
			if !l.mergeReceiver(&r, fleet, device) {
				return fmt.Errorf("what device %d of fleet %d heard: %w", device, fleet, errAccounts)
			}
			continue
		}
		if !r.bad && stream == willAccountNumber {
			if !l.mergeWillAccount(&r, fleet, device) {
				return fmt.Errorf("the connections of device %d of fleet %d: %w", device, fleet, errAccounts)
			}
			continue
		}
		if !r.bad && stream == sessionNumber {
			if !l.mergeSession(&r, fleet, device) {
				return fmt.Errorf("the sessions of device %d of fleet %d: %w", device, fleet, errAccounts)
			}
			continue
		}
		if !r.bad && stream >= firstJourney {
			if !l.mergeJourney(&r, fleet, stream-firstJourney, device) {
				return fmt.Errorf("a journey of device %d of fleet %d: %w", device, fleet, errAccounts)
			}
			continue
		}
		if r.bad || fleet >= uint64(len(l.accounts)) || stream >= uint64(len(l.accounts[fleet])) ||
			l.streams[fleet][stream].Down || device >= uint64(len(l.accounts[fleet][stream])) {
			return fmt.Errorf("device %d of fleet %d: %w", device, fleet, errAccounts)
		}
		var a Account
		r.account(&a)
		if r.bad {
			return fmt.Errorf("device %d of fleet %d: %w", device, fleet, errAccounts)
		}
		to := &l.accounts[fleet][stream][device]
		if !l.merged[fleet][stream].Add(uint32(device)) {
			continue
		}
		to.due.Store(a.due.Load())
		to.first, to.dropped, to.resent, to.top = a.first, a.dropped, a.resent, a.top
		to.sent, to.acked, to.more, to.tail = a.sent, a.acked, a.more, a.tail
	}
	return nil
}

// unpacker reads varints until something is wrong.
type unpacker struct {
	b   []byte
	bad bool
}

func (r *unpacker) number() uint64 {
	n, k := binary.Uvarint(r.b)
	if k <= 0 || r.bad {
		r.bad = true
		return 0
	}
	r.b = r.b[k:]
	return n
}

func (r *unpacker) short() uint32 {
	n := r.number()
	if n > 1<<32-1 {
		r.bad = true
	}
	return uint32(n)
}

func (r *unpacker) account(a *Account) {
	a.first = r.short()
	a.due.Store(r.short())
	r.bad = r.bad || a.due.Load() < a.first
	a.dropped, a.resent = r.short(), r.short()
	top := r.short()
	r.bad = r.bad || top > 2
	a.top = uint8(top)
	for i := range a.sent {
		r.set(&a.sent[i])
	}
	r.set(&a.acked)
	r.rest(a)
	for n := r.number(); n > 0 && !r.bad; n-- {
		a.tail = append(a.tail, mark{r.short(), r.short()})
	}
}

func (r *unpacker) set(s *Set) {
	next := uint64(0)
	for i, n := uint64(0), r.number(); i < n && !r.bad; i++ {
		gap, length := r.number(), r.number()
		lo := next + gap
		if gap > 1<<32 || length == 0 || length > 1<<32 || lo+length-1 > 1<<32-1 || i > 0 && gap < 2 {
			r.bad = true
			return
		}
		s.push(uint32(lo), uint32(lo+length-1))
		next = lo + length - 1
	}
}
