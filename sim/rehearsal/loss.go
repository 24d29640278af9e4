package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/cluster"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// lost tells that a worker is gone, and stops the run unless the story goes on without it, or others have
// all of its shards.
func (s *rehearsed) lost(r *director, l *cluster.Loss, stop context.CancelCauseFunc) {
	text := fmt.Sprintf("worker %d on %s is lost: %s", l.Pid, l.Host, l.Lost)
	if cluster.DiskFull(r.Dir) {
		text += fmt.Sprintf("; the disk of %s is full", r.Dir)
	}
	over := r.Staff.OnLoss == LossInvalid || r.Staff.OnLoss == LossTakeover && len(l.Orphans) > 0
	s.mu.Lock()
	s.lostWorker = true
	begun := s.timeline
	if begun != nil && r.Staff.OnLoss == LossTakeover && over {
		text += fmt.Sprintf(", and no worker has room for %d of its shards, or the run was ending", len(l.Orphans))
	}
	if s.stopped == "" && over {
		s.stopped = text
	}
	s.mu.Unlock()
	if begun != nil { // else the muster says so
		s.event(ledger.Event{At: begun.Now(), Kind: ledger.EventWorkerLost, Act: ledger.NoAct, Text: text})
		for _, t := range l.Taken {
			s.event(ledger.Event{At: t.Begin, Kind: ledger.EventTakenOver, Act: ledger.NoAct, Text: fmt.Sprintf(
				"shard %d, %d devices, goes on in another worker; what it did before is simulator-lost", t.Shard, t.Devices)})
		}
	}
	if over {
		stop(errors.New(text))
	}
}

// full stops a run whose workers cannot ship any more what their devices did: it can only be invalid.
func (s *rehearsed) full(err error, stop context.CancelCauseFunc) {
	text := "what the devices did cannot be kept any more: " + err.Error()
	s.mu.Lock()
	begun := s.timeline
	if s.stopped == "" {
		s.stopped = text
	}
	s.mu.Unlock()
	if begun != nil {
		s.event(ledger.Event{At: begun.Now(), Kind: ledger.EventInterrupted, Act: ledger.NoAct, Text: "the run ends: " + text})
	}
	stop(errors.New(text))
}

// takeOver is what the coordinator calls for every shard that goes over to another worker; nil if none may.
func (s *rehearsed) takeOver(r *director) func(ledger.Takeover) {
	if r.Staff.OnLoss != LossTakeover {
		return nil
	}
	return func(t ledger.Takeover) {
		s.ledger.TakeOver(t)
		s.mu.Lock()
		s.taken = append(s.taken, t)
		s.mu.Unlock()
	}
}

// takeable refuses plans whose devices cannot be taken over in the middle of their lives.
func takeable(p *sim.Plan) error {
	for i := range p.Fleets {
		f := &p.Fleets[i]
		if slices.ContainsFunc(f.Conversations(), func(b *sim.Binding) bool { return b.Channel == sim.ChannelMQTT && b.QoS == 2 }) {
			return fmt.Errorf("--on-worker-loss takeover: fleet %q sends with QoS 2, whose half-finished exchanges go with the worker: "+
				"the broker could take a new message for one of them. Write invalid or continue", f.Name)
		}
	}
	return nil
}
