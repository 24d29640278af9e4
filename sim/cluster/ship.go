package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/fleet"
)

// part is one shard at work in this process.
type part struct {
	plan     *sim.Plan
	shard    int
	epoch    uint32
	begin    sim.Instant // of its devices' life here
	crew     *fleet.Crew
	recorder *reports.Recorder
	accounts *reports.Accounts
	shipped  uint32   // snapshots so far
	unacked  []parcel // snapshots that the stream has not acknowledged, oldest first
}

// parcel is a snapshot under way.
type parcel struct {
	seq  uint32
	data []byte
	ack  jetstream.PubAckFuture
}

func newPart(job *Job, c claim) *part {
	return &part{
		plan: job.Plan, shard: c.Shard, epoch: c.Epoch, begin: c.Begin,
		recorder: reports.NewRecorder(job.Plan, uint32(c.Shard), c.Epoch),
		accounts: reports.NewAccounts(job.Plan, c.Shard, job.Shards),
	}
}

func (p *part) prepare(job *Job, w *Worker) error {
	p.crew = &fleet.Crew{
		Plan: job.Plan, Shard: p.shard, Shards: job.Shards, RunID: job.RunID, Endpoints: job.Endpoints,
		Dialer: w.Dialer(job.Plan, job.Endpoints), Recorder: p.recorder, Account: p.accounts.Account,
		Begin: p.begin, Epoch: p.epoch, Lease: &w.leased, Gate: w.gate,
	}
	return p.crew.Prepare()
}

// shipper puts what the devices did into the run's stream. It is for one goroutine.
type shipper struct{ js jetstream.JetStream }

// snapshot sends a snapshot of the shard, and again what was sent before and not acknowledged.
func (s *shipper) snapshot(p *part, at sim.Instant) {
	s.resend(p)
	state := p.crew.State()
	for i := range state.Fleets {
		p.recorder.Gauge(i, at, state.Fleets[i].Connected, state.Fleets[i].Backlog)
	}
	snap := p.recorder.Snapshot()
	p.shipped = snap.Seq + 1
	data, err := encode(&snap)
	if err != nil {
		return // the gap in the numbers says so: the run is invalid
	}
	parcel := parcel{seq: snap.Seq, data: data}
	s.send(p, &parcel)
	p.unacked = append(p.unacked, parcel)
}

func (s *shipper) send(p *part, l *parcel) {
	m := nats.NewMsg(subject(prefixSnap, p.shard, p.epoch))
	m.Data = l.data
	m.Header.Set(nats.MsgIdHdr, fmt.Sprintf("%d.%d.%d", p.shard, p.epoch, l.seq))
	l.ack = nil
	if ack, err := s.js.PublishMsgAsync(m); err == nil {
		l.ack = ack
	}
}

// resend forgets what was acknowledged and sends again what failed.
func (s *shipper) resend(p *part) {
	kept := p.unacked[:0]
	for _, l := range p.unacked {
		if l.ack == nil {
			s.send(p, &l)
		} else {
			select {
			case <-l.ack.Ok():
				continue
			case <-l.ack.Err():
				s.send(p, &l)
			default:
			}
		}
		kept = append(kept, l)
	}
	clear(p.unacked[len(kept):])
	p.unacked = kept
}

// last ships what is left of a shard whose devices have gone, and returns when all of it is on disk.
func (s *shipper) last(ctx context.Context, p *part) error {
	s.snapshot(p, time.Since(p.crew.T0))
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for len(p.unacked) > 0 {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		s.resend(p)
	}
	n := 0
	err := p.accounts.Pack(func(piece []byte) error {
		id := fmt.Sprintf("%d.%d.accounts.%d", p.shard, p.epoch, n)
		n++
		return s.must(ctx, subject(prefixAcct, p.shard, p.epoch), bytes.Clone(piece), id)
	})
	if err != nil {
		return err
	}
	b, err := json.Marshal(closing{Shard: uint32(p.shard), Epoch: p.epoch, Snapshots: p.shipped, Pieces: n})
	if err != nil {
		return err
	}
	return s.must(ctx, subject(prefixDone, p.shard, p.epoch), b, fmt.Sprintf("%d.%d.done", p.shard, p.epoch))
}

// must publishes and returns when the stream has it, or when it cannot be.
func (s *shipper) must(ctx context.Context, subject string, data []byte, id string) error {
	for tries := 0; ; tries++ {
		attempt, cancel := context.WithTimeout(ctx, patience)
		_, err := s.js.Publish(attempt, subject, data, jetstream.WithMsgID(id))
		cancel()
		if err == nil {
			return nil
		}
		if tries == 4 || ctx.Err() != nil {
			return fmt.Errorf("ship %s: %w", subject, err)
		}
	}
}
