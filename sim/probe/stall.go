package probe

import (
	"context"
	"slices"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/child"
	"github.com/myriad-iot/myriad/sim/journal"
	"github.com/myriad-iot/myriad/sim/ledger"
)

const (
	beatEvery = 200 * time.Millisecond
	// silent is how long nothing may come from a child until it counts as standing still. The parent must know
	// within [ledger.MaxGrace], and not from the child afterwards: accounts forget.
	silent = time.Second

	// blind is the shortest stall of the probe for which a message that nobody saw is not called lost: what a
	// broker cannot hold back so long it drops.
	blind = 250 * time.Millisecond

	// What a broker with a short queue cannot hold back for as long as that, it drops at some thousand messages a
	// second: shorter stalls are told, too, and excuse what was lost in their second where the broker says nothing.
	lookEvery = 10 * time.Millisecond
	leastTold = 20 * time.Millisecond
)

// maxStalls bounds the stalls that are kept as outages. Those beyond it make the last one longer.
const maxStalls = 1000

// tellStalls tells, until ctx ends, when this process did not run.
func tellStalls(ctx context.Context, p *Probe, w *journal.Writer) {
	child.StallsOver(ctx, lookEvery, leastTold, func(from, to time.Time) {
		p.stood()
		w.See(stallNotice(p.RunID, to.Sub(from), journal.Clock{}.Now()))
	})
}

// stallNotice says that the child did not run for a time that ended at an instant.
func stallNotice(run uint32, took time.Duration, end sim.Instant) sim.Sighting {
	return sim.Sighting{Stamp: sim.Stamp{Run: ^run, Seq: noticeStall, Due: took}, At: end}
}

// beatNotice says that the child runs, and whether it is behind with its reading.
func beatNotice(run uint32, at sim.Instant, behind bool) sim.Sighting {
	s := sim.Sighting{Stamp: sim.Stamp{Run: ^run, Seq: noticeBeat}, At: at}
	if behind {
		s.Stamp.Seq |= noticeBehind
	}
	return s
}

// stalled takes a stall that the child tells of. If it is one that is noticed here already, it ends. From then on the
// child is behind with its reading until a beat says that it is not.
func (r *Remote) stalled(from, to sim.Instant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.Stalled != nil {
		r.Stalled(ledger.Stall{From: from, To: to, Of: ledger.PartProbe})
	}
	last, kept := r.lastStall()
	switch {
	case last != nil && (last.Lasts || from <= last.To): // a beat may have ended it a moment before
		last.From, last.To = min(from, last.From), max(to, last.To)
	case to-from < blind:
		return
	case kept >= maxStalls:
		last.To, last.Stalls = to, max(last.Stalls, 1)+1
	default:
		r.outages = append(r.outages, ledger.Outage{Of: 1, From: from, To: to, Stalled: true})
		last = &r.outages[len(r.outages)-1]
	}
	last.Lasts, last.Behind, last.Read = false, true, 0
	r.tell()
}

// runs notes that the child runs: what held it up, if anything, is over, and if it is not behind with its reading, so
// is what came of that.
func (r *Remote) runs(at sim.Instant, behind bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	changed := false
	if last, _ := r.lastStall(); last != nil && last.Lasts && at > r.noticed { // not one that the child wrote before it stood
		last.To, last.Lasts, last.Behind = at, false, true
		changed = true
	}
	for i := range r.outages {
		if o := &r.outages[i]; o.Behind && !o.Lasts && !behind && at >= o.To {
			o.Behind, o.Read = false, at
			changed = true
		}
	}
	if changed {
		r.tell()
	}
}

// lastStall is the latest stall, nil if there was none, and how many there are. The lock is held.
func (r *Remote) lastStall() (last *ledger.Outage, n int) {
	for i := range r.outages {
		if r.outages[i].Stalled {
			last = &r.outages[i]
			n++
		}
	}
	return last, n
}

// mind notices, until ctx ends, that nothing comes from the child any more, though this process runs.
func (r *Remote) mind(ctx context.Context) {
	child.Each(ctx, beatEvery, func(last, now time.Time) {
		heard := r.born.Add(time.Duration(r.heard.Load()))
		if now.Sub(last) >= silent/2 || time.Since(heard) < silent { // else this process ran, and the child did not
			return
		}
		r.mu.Lock()
		if last, n := r.lastStall(); last == nil || !last.Lasts {
			r.noticed = r.Clock.Now()
			if n < maxStalls {
				r.outages = append(r.outages, ledger.Outage{Of: 1, From: r.noticed - time.Since(heard), Lasts: true, Stalled: true})
			} else {
				last.Lasts, last.Stalls = true, max(last.Stalls, 1)+1
			}
			r.tell()
		}
		r.mu.Unlock()
	})
}

// tell hands on all outages. The lock is held.
func (r *Remote) tell() {
	if r.Away != nil {
		r.Away(slices.Clone(r.outages))
	}
}
