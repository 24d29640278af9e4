package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/myriad-iot/myriad/sim/ledger"
)

// encode makes a snapshot's bytes. Several in a row are a CBOR sequence (RFC 8742).
func encode(s *ledger.Snapshot) ([]byte, error) {
	b, err := cbor.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encode a snapshot: %w", err)
	}
	return b, nil
}

// decode reads the snapshots of a message.
func decode(b []byte) ([]*ledger.Snapshot, error) {
	mode, err := cbor.DecOptions{MaxArrayElements: math.MaxInt32}.DecMode() // the message is the limit
	if err != nil {
		return nil, err
	}
	var list []*ledger.Snapshot
	for len(b) > 0 {
		s := new(ledger.Snapshot)
		if b, err = mode.UnmarshalFirst(b, s); err != nil {
			return nil, fmt.Errorf("a damaged snapshot: %w", err)
		}
		list = append(list, s)
	}
	return list, nil
}

// Sinks take what is in a run's stream, each from one goroutine. A nil one is not called.
type Sinks struct {
	Snapshot func(*ledger.Snapshot) error
	Accounts func(piece []byte) error

	// Whole says that a shard has shipped everything, and how many snapshots that were.
	Whole func(shard, epoch, snapshots uint32)

	// Kept is what [Coordinator.Keep] was given.
	Kept func(kind string, data []byte) error
}

// intake passes on the messages of a stream, in their order.
type intake struct {
	to     Sinks
	fenced map[int]uint32 // by shard whose worker was given up: the first epoch that counts
	late   int            // messages of earlier ones that came after that
	pieces map[string]int // of accounts that came, by shard and epoch
}

func newIntake(to Sinks) *intake {
	return &intake{to: to, fenced: make(map[int]uint32), pieces: make(map[string]int)}
}

func (in *intake) take(subject string, data []byte) error {
	if kind, ok := strings.CutPrefix(subject, prefixKept); ok {
		if in.to.Kept == nil {
			return nil
		}
		return in.to.Kept(kind, data)
	}
	if subject == subjectFence {
		var f fence
		if err := json.Unmarshal(data, &f); err != nil {
			return fmt.Errorf("a damaged fence: %w", err)
		}
		for k, epoch := range f.Epochs {
			in.fenced[k] = max(in.fenced[k], epoch)
		}
		return nil
	}
	if subject == subjectJob {
		return nil
	}
	if subject == subjectSnap {
		return in.snapshots(data)
	}
	shard, epoch, err := shardOf(subject)
	if err != nil {
		return err
	}
	if epoch < in.fenced[shard] {
		in.late++
		return nil
	}
	return in.ofShard(shard, epoch, subject, data)
}

func (in *intake) snapshots(data []byte) error {
	list, err := decode(data)
	for _, s := range list {
		if s.Epoch < in.fenced[int(s.Shard)] {
			in.late++
			continue
		}
		err = errors.Join(err, in.to.Snapshot(s))
	}
	return err
}

// shardOf reads the shard and the epoch from the end of a subject.
func shardOf(subject string) (shard int, epoch uint32, err error) {
	words := strings.Split(subject, ".")
	if len(words) == 4 {
		var e1, e2 error
		var n uint64
		shard, e1 = strconv.Atoi(words[2])
		n, e2 = strconv.ParseUint(words[3], 10, 32)
		if e1 == nil && e2 == nil {
			return shard, uint32(n), nil
		}
	}
	return 0, 0, fmt.Errorf("a message of no shard: %s", subject)
}

func (in *intake) ofShard(shard int, epoch uint32, subject string, data []byte) error {
	of := fmt.Sprintf("%d.%d", shard, epoch)
	switch {
	case strings.HasPrefix(subject, prefixAcct):
		in.pieces[of]++
		return in.to.Accounts(data)
	case strings.HasPrefix(subject, prefixDone):
		var c closing
		if err := json.Unmarshal(data, &c); err != nil {
			return fmt.Errorf("a damaged end of shard %d: %w", shard, err)
		}
		if c.Pieces != in.pieces[of] {
			return fmt.Errorf("%d of %d pieces of the accounts of shard %d came", in.pieces[of], c.Pieces, shard)
		}
		if in.to.Whole != nil {
			in.to.Whole(c.Shard, c.Epoch, c.Snapshots)
		}
	}
	return nil
}

// collector reads the stream as it grows.
type collector struct {
	stream jetstream.Stream
	reader jetstream.ConsumeContext

	mu   sync.Mutex
	last uint64 // sequence number of the last message that was passed on
	err  error
	more chan struct{} // has something when last has grown
}

func startCollector(ctx context.Context, stream jetstream.Stream, in *intake) (*collector, error) {
	c := &collector{stream: stream, more: make(chan struct{}, 1)}
	consumer, err := stream.OrderedConsumer(context.WithoutCancel(ctx), jetstream.OrderedConsumerConfig{})
	if err != nil {
		return nil, fmt.Errorf("bus: %w", err)
	}
	c.reader, err = consumer.Consume(func(m jetstream.Msg) {
		meta, err := m.Metadata()
		if err == nil {
			err = in.take(m.Subject(), m.Data())
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.err = errors.Join(c.err, err)
		if meta != nil {
			c.last = max(c.last, meta.Sequence.Stream)
		}
		select {
		case c.more <- struct{}{}:
		default:
		}
	})
	if err != nil {
		return nil, fmt.Errorf("bus: %w", err)
	}
	return c, nil
}

// finish waits until all that is in the stream now has been passed on.
func (c *collector) finish(ctx context.Context) error {
	info, err := c.stream.Info(ctx)
	if err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	for {
		c.mu.Lock()
		last, err := c.last, c.err
		c.mu.Unlock()
		if err != nil || last >= info.State.LastSeq {
			return err
		}
		select {
		case <-c.more:
		case <-time.After(time.Second):
		case <-ctx.Done():
			return fmt.Errorf("%d messages of the stream were not read in time", info.State.LastSeq-last)
		}
	}
}

func (c *collector) stop() {
	c.reader.Stop()
	<-c.reader.Closed()
}
