package ledger

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// WillAccount is the account of the connections of a device that leaves a will, and of how they ended: by it is known
// when the broker has to publish the will, and when it must not (MQTT 5 section 3.1.2.5). Only the device's goroutine
// writes it. It costs 32 bytes for each connection.
type WillAccount struct {
	lives   []life
	blurred bool // there were more than are kept
}

// End is how a connection ended.
type End uint8

const (
	EndOpen    End = iota // it has not
	EndGoodbye            // with a DISCONNECT: the broker deletes the will
	EndLost               // closed or reset, by whoever: the broker learns of it at once
	EndPower              // its device lost power: as EndSilent, but up to then it was up
	EndSilent             // without a word to the broker, which learns of it by its keep-alive, or when the device comes back
	EndOther              // nobody can tell whether the broker has a will to publish
	endCall               // it was a call that came to nothing, and may have been a connection to the broker
	numEnds
)

// life is a connection, or calls in a row that came to nothing, in ms since T0.
type life struct {
	called uint32 // the call began
	from   uint32 // CONNACK was read; of calls: the first began
	heard  uint32 // something last came
	to     uint32 // the device noticed the end
	alive  uint16 // keep-alive in seconds; 0: the broker waits for ever
	end    End
	kept   bool // the broker had the session
	away   bool // at another server than the device belongs to
}

const maxLives = 1 << 12

func (t *WillAccount) last(end End) *life {
	if n := len(t.lives); n > 0 && t.lives[n-1].end == end {
		return &t.lives[n-1]
	}
	return nil
}

func (t *WillAccount) add(l life) {
	if len(t.lives) == maxLives {
		t.blurred = true
		return
	}
	t.lives = append(t.lives, l)
}

// Tried says that a call came to nothing.
func (t *WillAccount) Tried(from, to sim.Instant) {
	if l := t.last(endCall); l != nil {
		l.to = millis(to)
		return
	}
	t.add(life{called: millis(from), from: millis(from), heard: millis(from), to: millis(to), end: endCall})
}

// Up says that the device is connected since at, by a call that began at called. kept: the broker had the session.
// away: it is not the server that the device belongs to.
func (t *WillAccount) Up(kept, away bool, called, at sim.Instant) {
	t.add(life{called: millis(called), from: millis(at), kept: kept, away: away})
}

// Down says that the connection is over: how, when something last came by it, and when the device noticed.
func (t *WillAccount) Down(how End, heard, at sim.Instant, keepAlive time.Duration) {
	if l := t.last(EndOpen); l != nil {
		l.end, l.to = how, max(millis(at), l.from)
		l.heard = min(max(millis(heard), l.from), l.to)
		l.alive = uint16(min((keepAlive+time.Second-1)/time.Second, math.MaxUint16))
	}
}

// newWillAccounts makes the accounts of so many devices of a fleet; nil if their wills cannot be told apart.
func newWillAccounts(f *sim.Fleet, devices int) []WillAccount {
	if !f.LeavesWills() {
		return nil
	}
	return make([]WillAccount, devices)
}

// WillAccount is that of a device whose fleet leaves wills: see [sim.Fleet.LeavesWills]. Only its goroutine may use it.
func (l *Ledger) WillAccount(fleet int, o sim.Ordinal) *WillAccount {
	return &l.wills[fleet].accounts[o]
}

// WillAccount is the same of a device that must be one of the shard's.
func (a *Accounts) WillAccount(fleet int, o sim.Ordinal) *WillAccount {
	return &a.willAccounts[fleet][int(o)/a.shards]
}

// In a packed account the connections of a device have a number behind what it heard.
const willAccountNumber = receiverNumber + 1

func (t *WillAccount) append(b []byte) []byte {
	bits := uint64(len(t.lives)) << 1
	if t.blurred {
		bits |= 1
	}
	b = binary.AppendUvarint(b, bits)
	for _, l := range t.lives {
		flags := uint64(l.end) << 2
		if l.kept {
			flags |= 1
		}
		if l.away {
			flags |= 2
		}
		for _, n := range [...]uint64{uint64(l.called), uint64(l.from), uint64(l.heard), uint64(l.to), uint64(l.alive), flags} {
			b = binary.AppendUvarint(b, n)
		}
	}
	return b
}

// mergeWillAccount enters the account that comes next in r. It is false if that is damaged. One that the ledger has
// already stays as it is.
func (l *Ledger) mergeWillAccount(r *unpacker, fleet, device uint64) bool {
	if fleet >= uint64(len(l.wills)) || device >= uint64(len(l.wills[fleet].accounts)) {
		return false
	}
	var t WillAccount
	bits := r.number()
	t.blurred = bits&1 != 0
	for n := bits >> 1; n > 0 && !r.bad; n-- {
		c := life{called: r.short(), from: r.short(), heard: r.short(), to: r.short()}
		alive, flags := r.number(), r.number()
		r.bad = r.bad || alive > math.MaxUint16 || flags>>2 >= uint64(numEnds) || len(t.lives) == maxLives
		c.alive, c.end, c.kept, c.away = uint16(alive), End(flags>>2), flags&1 != 0, flags&2 != 0
		t.lives = append(t.lives, c)
	}
	if r.bad {
		return false
	}
	if to := &l.wills[fleet]; to.merged.Add(uint32(device)) {
		to.accounts[device] = t
	}
	return true
}
