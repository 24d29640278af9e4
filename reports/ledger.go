package reports

import (
	"math"
	"slices"
	"sync"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// Ledger accounts for every message of a run, exactly. Per device it keeps two accounts: what the
// device did ([Account], written by the device's goroutine alone) and what the far end saw (a
// receipt, written by the witnesses that call See from several goroutines). They meet when the
// ledger is closed, after the devices have stopped. With clean streams both together take about
// 200 bytes per device, however many messages there are.
type Ledger struct {
	plan   *sim.Plan
	run    uint32
	rec    sim.Recorder
	warm   sim.Instant
	limits []time.Duration // of the plan's "delivered within" checks

	accounts [][]Account // by fleet and ordinal
	receipts [][]receipt
	observed []Observed
	shards   [ledgerShards]ledgerShard

	afar   bool          // the accounts are elsewhere until they are merged
	taken  []sim.Instant // since when the devices of a shard are another process's; [Ledger.TakeOver]
	merged []Set         // devices whose account has come, by fleet
}

// early is how much earlier than its due instant a message may be seen, for the clocks of two
// processes do not agree to the microsecond.
const early = 10 * time.Millisecond

// Observed is whether anybody watches a fleet's messages arrive.
type Observed struct{ Received, Stored bool }

const ledgerShards = 64

// ledgerShard guards the receipts of every 64th device.
type ledgerShard struct {
	mu      sync.Mutex
	closed  bool
	sample  sim.Sample // here and not on the stack, where passing it on would allocate
	within  []uint64   // measured messages first seen in time, by place
	seen    uint64     // first copies
	foreign uint64
	strays  uint64 // stamped with this run, but of no device
	_       [64]byte
}

// NewLedger opens the ledger of a run. First copies are passed on to rec as end-to-end and
// storage samples.
func NewLedger(p *sim.Plan, run uint32, rec sim.Recorder) *Ledger {
	l := &Ledger{
		plan: p, run: run, rec: rec, warm: micro(p.WarmUp.D()), limits: deliveryLimits(p),
		observed: make([]Observed, len(p.Fleets)),
	}
	for i := range p.Fleets {
		l.accounts = append(l.accounts, make([]Account, p.Fleets[i].Count))
		l.receipts = append(l.receipts, make([]receipt, p.Fleets[i].Count))
	}
	for i := range l.shards {
		l.shards[i].within = make([]uint64, len(p.Fleets)*len(l.limits))
	}
	return l
}

// place is where a ledger shard counts the messages of a device that were in time for a limit.
func (l *Ledger) place(o sim.Ordinal, fleet, limit int) int {
	part := 0
	if len(l.taken) > 0 {
		part = int(o) % len(l.taken)
	}
	return (part*len(l.accounts)+fleet)*len(l.limits) + limit
}

// Afar says that the devices' accounts are kept elsewhere, as [Accounts] of so many shards, and will be
// merged before Close. A message of theirs counts as seen before it was due if it is seen before the instant
// that its stamp has. It must be called before the first sighting.
func (l *Ledger) Afar(shards int) {
	l.afar, l.taken = true, make([]sim.Instant, shards)
	for i := range l.shards {
		l.shards[i].within = make([]uint64, shards*len(l.accounts)*len(l.limits))
	}
}

// deliveryLimits are the distinct times within which the plan wants messages delivered.
func deliveryLimits(p *sim.Plan) []time.Duration {
	var limits []time.Duration
	for _, list := range [][]sim.Check{p.Guards, p.Checks} {
		for i := range list {
			if list[i].Kind == sim.CheckDelivered && !slices.Contains(limits, list[i].Within.D()) {
				limits = append(limits, list[i].Within.D())
			}
		}
	}
	return limits
}

// Account is the account of one device.
func (l *Ledger) Account(fleet int, o sim.Ordinal) *Account { return &l.accounts[fleet][o] }

// Observable says how the messages of a fleet are watched at the far end: by subscribers, by the
// backend, by both. A fleet that it was not called for is not watched, so what it lost is unknown.
// It must be called before the first sighting.
func (l *Ledger) Observable(fleet int, received, stored bool) {
	l.observed[fleet] = Observed{received, stored}
}

// See implements [sim.Witness]. Stamps of other runs are counted and otherwise ignored, and so
// are sightings after Close.
func (l *Ledger) See(s sim.Sighting) {
	sh := &l.shards[uint32(s.Stamp.Device)%ledgerShards]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	fleet := int(s.Stamp.Fleet)
	switch {
	case sh.closed:
		return
	case s.Stamp.Run != l.run:
		sh.foreign++
		return
	case s.Stamp.Fleet&sim.CommandBit != 0: // a command, or its answer: not a report (see [Commands])
		return
	case fleet < len(l.receipts) && l.another(&s.Stamp):
		return
	case fleet >= len(l.receipts) || int(s.Stamp.Device) >= len(l.receipts[fleet]):
		sh.strays++
		return
	}
	c, op := received, sim.OpEndToEnd
	if s.Stored {
		c, op = stored, sim.OpStorage
	}
	due := l.accounts[fleet][s.Stamp.Device].due.Load()
	if l.afar {
		due = math.MaxUint32
		if s.At+early < s.Stamp.Due {
			due = 0
		}
	}
	first, anywhere := l.receipts[fleet][s.Stamp.Device].see(c, s.Stamp.Seq, due)
	if !first {
		return
	}
	if anywhere {
		sh.seen++
		if s.Stamp.Due >= l.warm {
			for i, limit := range l.limits {
				if s.At-s.Stamp.Due <= limit {
					sh.within[l.place(s.Stamp.Device, fleet, i)]++
				}
			}
		}
	}
	at := s.Stamp.Due
	sh.sample = sim.Sample{
		Op: op, Fleet: s.Stamp.Fleet, Device: s.Stamp.Device,
		Due: at, Ready: at, Sent: at, Done: s.At, Attempts: 1,
	}
	l.rec.Record(&sh.sample)
}

// Seen is the number of messages that the far end has seen so far. A drain is over when it has
// not grown for a while.
func (l *Ledger) Seen() uint64 {
	n := uint64(0)
	for i := range l.shards {
		sh := &l.shards[i]
		sh.mu.Lock()
		n += sh.seen
		sh.mu.Unlock()
	}
	return n
}

// micro rounds an instant down to microseconds, which is what stamps carry.
func micro(at sim.Instant) sim.Instant { return at.Truncate(time.Microsecond) }
