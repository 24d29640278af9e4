package reports

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/myriad-iot/myriad/sim"
)

// Accounts are the accounts of one shard's devices, kept where the devices are. When they have
// stopped, [Accounts.Pack] carries them to the ledger, which takes them with [Ledger.Merge].
type Accounts struct {
	shard, shards int
	fleets        [][]Account
}

// NewAccounts opens the accounts of the devices whose ordinal is shard modulo shards.
func NewAccounts(p *sim.Plan, shard, shards int) *Accounts {
	a := &Accounts{shard: shard, shards: shards}
	for i := range p.Fleets {
		n := max(0, p.Fleets[i].Count-shard+shards-1) / shards
		a.fleets = append(a.fleets, make([]Account, n))
	}
	return a
}

// Account is the account of one device, which must be one of the shard's.
func (a *Accounts) Account(fleet int, o sim.Ordinal) *Account {
	return &a.fleets[fleet][int(o)/a.shards]
}

// packed is how large a piece of Pack is, about.
const packed = 256 << 10

// Pack calls f with all accounts in pieces, each of which Merge takes alone and in any order. f must
// not keep the piece. An error of f ends it and is returned. The devices must have stopped.
func (a *Accounts) Pack(f func(piece []byte) error) error {
	b := make([]byte, 0, packed+packed/8)
	for fleet := range a.fleets {
		for i := range a.fleets[fleet] {
			b = binary.AppendUvarint(b, uint64(fleet))
			b = binary.AppendUvarint(b, uint64(i*a.shards+a.shard))
			b = a.fleets[fleet][i].append(b)
			if len(b) >= packed {
				if err := f(b); err != nil {
					return err
				}
				b = b[:0]
			}
		}
	}
	if len(b) == 0 {
		return nil
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

// Merge enters what Pack made, for devices that the ledger does not have an account of yet. A device
// that it has one of already is left as it is: a piece may come twice.
func (l *Ledger) Merge(piece []byte) error {
	r := unpacker{b: piece}
	for len(r.b) > 0 {
		fleet, device := r.number(), r.number()
		if r.bad || fleet >= uint64(len(l.accounts)) || device >= uint64(len(l.accounts[fleet])) {
			return fmt.Errorf("device %d of fleet %d: %w", device, fleet, errAccounts)
		}
		var a Account
		r.account(&a)
		if r.bad {
			return fmt.Errorf("device %d of fleet %d: %w", device, fleet, errAccounts)
		}
		to := &l.accounts[fleet][device]
		if l.merged == nil {
			l.merged = make([]Set, len(l.accounts))
		}
		if !l.merged[fleet].Add(uint32(device)) {
			continue
		}
		to.due.Store(a.due.Load())
		to.first, to.dropped, to.resent, to.top = a.first, a.dropped, a.resent, a.top
		to.sent, to.acked, to.tail = a.sent, a.acked, a.tail
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
