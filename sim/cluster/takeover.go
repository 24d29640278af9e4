package cluster

import (
	"time"

	"github.com/myriad-iot/myriad/sim/fleet"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// Loss is a lost worker, and what happens to its shards.
type Loss struct {
	Member
	Taken   []ledger.Takeover // that other workers take over
	Orphans []int             // shards that nobody takes over: their devices are lost
}

// lead is the time from a loss until the devices begin in other workers, which must be told and make them.
const lead = 2 * time.Second

// handOver gives each shard of a lost worker to the worker with the most room. After the end of the timeline
// there is nothing to take over. Two workers never run the same devices: the lost worker's lease or its process
// has ended, so its devices are gone or leave before they act again. The caller holds mu.
func (c *Coordinator) handOver(lost *member) Loss {
	loss := Loss{Member: lost.Member}
	over := c.order.Finish || c.order.End > 0
	size := shardDevices(c.c.Job.Plan, c.c.Job.Shards)
	for k, owner := range c.owners {
		if owner != lost {
			continue
		}
		next := c.roomiest(size)
		if c.c.TakeOver == nil || c.t0 == 0 || over || next == nil {
			loss.Orphans = append(loss.Orphans, k)
			continue
		}
		c.epochs[k]++
		c.owners[k] = next
		begin := max(0, time.Since(time.Unix(0, c.t0))) + lead
		t := ledger.Takeover{Shard: k, Shards: c.c.Job.Shards, Epoch: c.epochs[k], Begin: begin}
		for i := range c.c.Job.Plan.Fleets {
			t.Devices += max(0, c.c.Job.Plan.Fleets[i].Count-k+t.Shards-1) / t.Shards
		}
		c.c.TakeOver(t)
		next.claims = append(next.claims[:len(next.claims):len(next.claims)], claim{k, t.Epoch, begin})
		next.Taken = append(next.Taken[:len(next.Taken):len(next.Taken)], k)
		loss.Taken = append(loss.Taken, t)
	}
	return loss
}

// roomiest is the worker that has room for the most devices beside its own, and for one shard at least.
func (c *Coordinator) roomiest(size int) *member {
	var best *member
	most := size - 1
	for _, m := range c.members {
		if m.Lost != "" || m.gone || !m.ready {
			continue
		}
		room := m.Capacity
		for _, owner := range c.owners {
			if owner == m {
				room -= size
			}
		}
		if room > most {
			best, most = m, room
		}
	}
	return best
}

// take makes and runs the devices of the shards that this worker has to take over and has not yet. It is called
// from the goroutine of the beats, before the order of the beat is carried out.
func (w *Worker) take(run func(*part), job *Job, claims []claim, o fleet.Order) error {
	for _, c := range claims[min(w.taken, len(claims)):] {
		w.taken++
		p := newPart(job, c)
		if err := p.prepare(job, w); err != nil {
			return err
		}
		w.mu.Lock()
		p.crew.T0 = w.origin
		w.parts = append(w.parts[:len(w.parts):len(w.parts)], p)
		w.mu.Unlock()
		p.crew.Order(o) // the devices need the timeline so far before they run
		run(p)
	}
	return nil
}

// slack is how much longer devices may act than the worker's lease lasts, so that it ends before they
// leave. It is less than lead: nobody has taken them over by then.
const slack = 500 * time.Millisecond

// renew lets the devices act until the lease that was renewed when the coordinator was asked ends. It
// returns false when that is over.
func (w *Worker) renew(asked time.Time) bool {
	w.mu.Lock()
	origin := w.origin
	w.mu.Unlock()
	return origin.IsZero() || w.leased.Renew(asked.Sub(origin)+w.lease+slack)
}
