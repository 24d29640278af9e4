package ledger

import (
	"math"
	"slices"
	"sync"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// Ledger accounts for every message of a run, exactly. For each stream of a device it keeps two accounts:
// what the sender did ([Account], written by the device's goroutine alone, or for what comes down by
// [Ledger.Told]) and what the far end saw (a receipt, written by the witnesses that call See from several
// goroutines). They meet when the ledger is closed, after the devices have stopped. With clean streams both
// together take about 200 bytes per device and stream, however many messages there are.
type Ledger struct {
	plan   *sim.Plan
	run    uint32
	rec    sim.Recorder
	warm   sim.Instant
	limits []limit // of the plan's "delivered within" and "answered within" checks

	streams   [][]sim.StreamSpec // by fleet
	accounts  [][][]Account      // by fleet, stream and ordinal
	receipts  [][][]receipt
	first     [][][]sim.Instant // likewise, when the first message was seen; nil where no check asks
	journeys  [][]journeys      // by fleet and number
	receivers []receivers       // by fleet
	wills     []wills           // by fleet
	sessions  []sessions        // by fleet
	endpoints sim.Endpoints
	end       sim.Instant // given to Close
	none      Set         // stays empty
	stalls    []window    // see [Ledger.Stood]
	observed  []Observed
	shards    [ledgerShards]ledgerShard
	watch     watch

	afar   bool          // the accounts are in other processes until they are merged
	taken  []sim.Instant // since when another process carries the devices of each shard: see [Ledger.TakeOver]
	merged [][]Set       // devices whose account was merged, by fleet and stream
}

// limit is a time within which a check of the plan wants messages delivered, or commands answered.
type limit struct {
	within  time.Duration
	answers bool
}

// early is how much earlier than its due instant a message may be seen, because the clocks of two processes
// differ a little.
const early = 10 * time.Millisecond

// Observed is whether anybody watches a fleet's messages arrive.
type Observed struct{ Received, Stored bool }

const ledgerShards = 64

// ledgerShard guards the receipts of every 64th device.
type ledgerShard struct {
	mu      sync.Mutex
	closed  bool
	sample  sim.Sample              // here and not on the stack, where passing it on would allocate
	within  []uint64                // measured messages first seen in time, by place
	told    map[command]sim.Instant // commands that were handed over and are not answered yet, with their due instants
	asked   uint64                  // commands that came due after the warm-up
	seen    uint64                  // first copies
	foreign uint64
	strays  uint64 // sightings with a stamp of this run but of no device or stream
	_       [64]byte
}

// New opens the ledger of a run. First copies are passed on to rec as end-to-end and
// storage samples.
func New(p *sim.Plan, run uint32, rec sim.Recorder) *Ledger {
	l := &Ledger{
		plan: p, run: run, rec: rec, warm: Micro(p.WarmUp.D()), limits: limits(p),
		observed: make([]Observed, len(p.Fleets)), merged: make([][]Set, len(p.Fleets)),
	}
	for i := range p.Fleets {
		f := &p.Fleets[i]
		l.streams = append(l.streams, f.Streams())
		var accounts [][]Account
		var receipts [][]receipt
		for range l.streams[i] {
			accounts = append(accounts, l.watch.accounts(f.Count))
			keepTime(p, i, len(accounts)-1, accounts[len(accounts)-1])
			receipts = append(receipts, make([]receipt, f.Count))
		}
		l.accounts, l.receipts = append(l.accounts, accounts), append(l.receipts, receipts)
		l.first = append(l.first, firstSeen(p, f, l.streams[i]))
		l.merged[i] = make([]Set, len(l.streams[i]))
		l.journeys = append(l.journeys, newJourneys(p, i, f.Count))
		l.receivers = append(l.receivers, receivers{accounts: keepLate(p, newReceivers(f, f.Count))})
		l.wills = append(l.wills, newWills(f))
		l.sessions = append(l.sessions, sessions{accounts: newSessions(f, f.Count)})
	}
	for i := range l.shards {
		l.shards[i].within = make([]uint64, len(p.Fleets)*len(l.limits))
	}
	return l
}

// place is the index in ledgerShard.within for a device and a limit.
func (l *Ledger) place(o sim.Ordinal, fleet, limit int) int {
	part := 0
	if len(l.taken) > 0 {
		part = int(o) % len(l.taken)
	}
	return (part*len(l.accounts)+fleet)*len(l.limits) + limit
}

// Afar says that the devices' accounts are kept in other processes, as [Accounts] of so many shards, and will
// be merged before Close. A message then counts as seen before it was due if it was seen before the due
// instant in its stamp. It must be called before the first sighting.
func (l *Ledger) Afar(shards int) {
	l.afar, l.taken = true, make([]sim.Instant, shards)
	for i := range l.shards {
		l.shards[i].within = make([]uint64, shards*len(l.accounts)*len(l.limits))
	}
}

// limits are the distinct times within which the plan wants messages delivered, and commands answered.
func limits(p *sim.Plan) []limit {
	var all []limit
	for _, list := range [][]sim.Check{p.Guards, p.Checks} {
		for i := range list {
			k := limit{list[i].Within.D(), list[i].Kind == sim.CheckAnswered}
			if (k.answers || list[i].Kind == sim.CheckDelivered) && !slices.Contains(all, k) {
				all = append(all, k)
			}
		}
	}
	return all
}

// Account is the account of one stream of a device.
func (l *Ledger) Account(fleet int, s sim.Stream, o sim.Ordinal) *Account {
	return &l.accounts[fleet][s][o]
}

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
	fleet, stream := int(s.Stamp.Fleet), int(s.Stamp.Stream)
	switch {
	case sh.closed:
		return
	case s.Stamp.Run != l.run:
		sh.foreign++
		return
	case fleet < len(l.wills) && s.Stamp.Stream == sim.WillStream && int(s.Stamp.Device) < len(l.wills[fleet].seen):
		l.wills[fleet].see(s.Stamp.Device, s.At)
		return
	case fleet >= len(l.receipts) || stream >= len(l.streams[fleet]) || int(s.Stamp.Device) >= l.plan.Fleets[fleet].Count:
		sh.strays++
		return
	case !l.streams[fleet][stream].Telemetry():
		l.answer(sh, &s)
		return
	case l.beforeTakeover(&s.Stamp):
		return
	}
	c, op := received, sim.OpEndToEnd
	if s.Stored {
		c, op = stored, sim.OpStorage
	}
	due := l.accounts[fleet][stream][s.Stamp.Device].due.Load()
	if l.afar {
		due = math.MaxUint32
		if s.At+early < s.Stamp.Due {
			due = 0
		}
	}
	first, anywhere := l.receipts[fleet][stream][s.Stamp.Device].see(c, s.Stamp.Seq, due)
	if !first {
		return
	}
	if anywhere {
		sh.seen++
		l.inTime(sh, &s, false)
		if f := l.first[fleet][stream]; f != nil && f[s.Stamp.Device] < 0 {
			f[s.Stamp.Device] = s.At
		}
	}
	l.record(sh, op, &s.Stamp, s.At, sim.OK)
}

// firstSeen is where a fleet's first messages are noted, by stream: for those that a check asks for.
func firstSeen(p *sim.Plan, f *sim.Fleet, streams []sim.StreamSpec) [][]sim.Instant {
	list := make([][]sim.Instant, len(streams))
	for _, checks := range [][]sim.Check{p.Guards, p.Checks} {
		for i := range checks {
			c := &checks[i]
			n := slices.IndexFunc(streams, func(s sim.StreamSpec) bool { return s.Name == c.Stream })
			if c.Kind != sim.CheckHeard || c.Select.Fleet != f.Name || n < 0 || list[n] != nil {
				continue
			}
			list[n] = slices.Repeat([]sim.Instant{-1}, f.Count)
		}
	}
	return list
}

// inTime counts a message that was seen for the first time towards the limits that it keeps.
func (l *Ledger) inTime(sh *ledgerShard, s *sim.Sighting, answers bool) {
	if s.Stamp.Due < l.warm {
		return
	}
	for i, limit := range l.limits {
		if limit.answers == answers && s.At-s.Stamp.Due <= limit.within {
			sh.within[l.place(s.Stamp.Device, int(s.Stamp.Fleet), i)]++
		}
	}
}

func (l *Ledger) record(sh *ledgerShard, op sim.Op, s *sim.Stamp, done sim.Instant, o sim.Outcome) {
	sh.sample = sim.Sample{
		Op: op, Fleet: s.Fleet, Device: s.Device,
		Due: s.Due, Ready: s.Due, Sent: s.Due, Done: done, Outcome: o, Attempts: 1,
	}
	l.rec.Record(&sh.sample)
}

// Seen is the number of messages that the far end has seen so far.
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

// Micro rounds an instant down to microseconds, which is what stamps carry and phase edges are compared by.
func Micro(at sim.Instant) sim.Instant { return at.Truncate(time.Microsecond) }
