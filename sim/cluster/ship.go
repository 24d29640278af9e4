package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/fleet"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// part is one shard at work in this process.
type part struct {
	plan     *sim.Plan
	shard    int
	epoch    uint32
	begin    sim.Instant // when its devices begin here
	crew     *fleet.Crew
	recorder *ledger.Recorder
	accounts *ledger.Accounts
	shipped  uint32 // snapshots so far
}

func newPart(job *Job, c claim) *part {
	return &part{
		plan: job.Plan, shard: c.Shard, epoch: c.Epoch, begin: c.Begin,
		recorder: ledger.NewRecorder(job.Plan, uint32(c.Shard), c.Epoch),
		accounts: ledger.NewAccounts(job.Plan, c.Shard, job.Shards),
	}
}

func (p *part) prepare(job *Job, w *Worker) error {
	var opener func(*sim.Fleet, sim.Role, sim.Weather) (sim.Opener, error)
	if w.Opener != nil {
		opener = w.Opener(job.Plan, job.Endpoints)
	}
	p.crew = &fleet.Crew{
		Plan: job.Plan, Shard: p.shard, Shards: job.Shards, RunID: job.RunID, Endpoints: job.Endpoints,
		Dialer: w.Dialer(job.Plan, job.Endpoints), Opener: opener, Recorder: p.recorder, Account: p.accounts.Account, Journey: p.accounts.Journey, Receiver: p.accounts.Receiver, WillAccount: p.accounts.WillAccount, Session: p.accounts.Session,
		Begin: p.begin, Epoch: p.epoch, Lease: &w.leased, Gate: w.gate,
	}
	return p.crew.Prepare()
}

// shipper puts what the devices did into the run's stream. It is for one goroutine.
type shipper struct {
	js      jetstream.JetStream
	worker  string   // its name
	parcels int      // so far
	unacked []parcel // that the stream has not acknowledged, oldest first

	refusal error     // why the stream stores nothing more, as far as is known; nil: it does
	since   time.Time // when that began
}

// parcel is a message of snapshots under way.
type parcel struct {
	id   string
	data []byte
	ack  jetstream.PubAckFuture
}

// Several snapshots share a message up to this size in bytes, because each message costs the stream more than
// its bytes do.
const fullParcel = 1 << 20

// gauge reads how many devices of each shard are connected, and what waits.
func (s *shipper) gauge(parts []*part, at sim.Instant) {
	for _, p := range parts {
		state := p.crew.State()
		for _, g := range state.Gauges(at) {
			p.recorder.Gauge(g)
		}
	}
}

// second sends a snapshot of each shard, and sends again what the stream has not taken.
func (s *shipper) second(parts []*part) {
	s.resend()
	var data []byte
	for _, p := range parts {
		snapshot, err := p.snapshot()
		if err != nil {
			continue // the gap in the numbers says so: the run is invalid
		}
		if len(data) > 0 && len(data)+len(snapshot) > fullParcel {
			s.dispatch(data)
			data = nil
		}
		data = append(data, snapshot...)
	}
	if len(data) > 0 {
		s.dispatch(data)
	}
}

// snapshot is what the shard did since the last one.
func (p *part) snapshot() ([]byte, error) {
	snap := p.recorder.Snapshot()
	p.shipped = snap.Seq + 1
	return encode(&snap)
}

func (s *shipper) dispatch(data []byte) {
	l := parcel{id: fmt.Sprintf("%s.%d", s.worker, s.parcels), data: data}
	s.parcels++
	s.send(&l)
	s.unacked = append(s.unacked, l)
}

func (s *shipper) send(l *parcel) {
	m := nats.NewMsg(subjectSnap)
	m.Data = l.data
	m.Header.Set(nats.MsgIdHdr, l.id)
	l.ack = nil
	if ack, err := s.js.PublishMsgAsync(m); err == nil {
		l.ack = ack
	}
}

// resend forgets what was acknowledged and sends again what failed.
func (s *shipper) resend() {
	kept := s.unacked[:0]
	for _, l := range s.unacked {
		if l.ack == nil {
			s.send(&l)
		} else {
			select {
			case <-l.ack.Ok():
				s.refusal = nil
				continue
			case err := <-l.ack.Err():
				s.refused(err)
				s.send(&l)
			default:
			}
		}
		kept = append(kept, l)
	}
	clear(s.unacked[len(kept):])
	s.unacked = kept
}

// refused notes that the stream stores nothing more.
func (s *shipper) refused(err error) {
	if !refused(err) {
		return
	}
	if s.refusal == nil {
		s.since = time.Now()
	}
	s.refusal = err
}

// last ships what is left of shards whose devices have gone, and returns when all of it is on disk, or when that has
// taken nothing for as long as patience: what does not fit by then will not fit.
func (s *shipper) last(ctx context.Context, parts []*part, at sim.Instant) error {
	s.gauge(parts, at)
	s.second(parts)
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	acknowledged := s.js.PublishAsyncComplete()
	for len(s.unacked) > 0 {
		select {
		case <-acknowledged:
			acknowledged = nil // what failed is sent again when the ticker says so
		case <-ticker.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		s.resend()
		if s.refusal != nil && time.Since(s.since) > patience {
			return fmt.Errorf("the coordinator cannot store what was shipped: %w", s.refusal)
		}
	}
	for _, p := range parts {
		if err := s.close(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// close ships the accounts of a shard, and its last message.
func (s *shipper) close(ctx context.Context, p *part) error {
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

// must publishes a message and returns when the stream has it, or an error after five tries.
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
