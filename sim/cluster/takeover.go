package cluster

import (
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim/fleet"
)

// Loss is a worker that was given up, and what becomes of its shards.
type Loss struct {
	Member
	Taken   []reports.Takeover // that other workers take over
	Orphans []int              // shards whose devices are gone
}

// lead is how long after a loss the other workers' devices begin: they have to be told and to make them.
const lead = 2 * time.Second

// handOver gives the shards of a lost worker to those that are left, each to whom it leaves the most
// room. After the run's end there is nothing left to take over. Nobody else may use the shards: the lost
// worker's lease is over, or its process is, so its devices are gone or leave before they act again.
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
		t := reports.Takeover{Shard: k, Shards: c.c.Job.Shards, Epoch: c.epochs[k], Begin: begin}
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

// take makes the devices of the shards that this worker has not taken over yet, and lets them live on.
// It is called from the goroutine of the beats, before an order that may end the others.
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
		p.crew.Order(o) // the devices have to know the past before they live
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
