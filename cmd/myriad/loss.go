package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/cluster"
)

// lost tells that a worker is gone, and stops the run unless the story goes on without it, or others have
// all of its shards.
func (s *rehearsed) lost(r *rehearsal, l *cluster.Loss, stop context.CancelCauseFunc) {
	text := fmt.Sprintf("worker %d on %s is lost: %s", l.Pid, l.Host, l.Lost)
	over := r.staff.onLoss == lossInvalid || r.staff.onLoss == lossTakeover && len(l.Orphans) > 0
	s.mu.Lock()
	begun := s.timeline
	if begun != nil && r.staff.onLoss == lossTakeover && over {
		text += fmt.Sprintf(", and no worker has room for %d of its shards, or the run was ending", len(l.Orphans))
	}
	if s.stopped == "" && over {
		s.stopped = text
	}
	s.mu.Unlock()
	if begun != nil { // else the muster says so
		s.event(reports.Event{At: begun.Now(), Kind: "worker-lost", Text: text})
		for _, t := range l.Taken {
			s.event(reports.Event{At: t.Begin, Kind: "taken-over", Text: fmt.Sprintf(
				"shard %d, %d devices, goes on in another worker; what it did before is simulator-lost", t.Shard, t.Devices)})
		}
	}
	if over {
		stop(errors.New(text))
	}
}

// takeOver is what the coordinator calls for every shard that goes over to another worker; nil if none may.
func (s *rehearsed) takeOver(r *rehearsal) func(reports.Takeover) {
	if r.staff.onLoss != lossTakeover {
		return nil
	}
	return func(t reports.Takeover) {
		s.ledger.TakeOver(t)
		s.mu.Lock()
		s.taken = append(s.taken, t)
		s.mu.Unlock()
	}
}

// takeable refuses plans whose devices cannot be taken over in the middle of their lives.
func takeable(p *sim.Plan) error {
	for i := range p.Fleets {
		if f := &p.Fleets[i]; f.Data().Channel == sim.ChannelMQTT && f.Data().QoS == 2 {
			return fmt.Errorf("--on-worker-loss takeover: fleet %q sends with QoS 2, whose half-finished exchanges go with the worker: "+
				"the broker could take a new message for one of them. Write invalid or continue", f.Name)
		}
	}
	return nil
}
