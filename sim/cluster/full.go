package cluster

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/myriad-iot/myriad/sim/ledger"
)

// Answers of a stream that can store nothing more, as its disk is full, and of a bus that closed it because of that.
const (
	codeNoResources jetstream.ErrorCode = 10023 // the share of the disk that was free when the bus began is used up
	codeStoreFailed jetstream.ErrorCode = 10077
)

// refused reports whether err says that the stream stores nothing more. A bus that cannot be reached is not that.
func refused(err error) bool {
	var api *jetstream.APIError
	if errors.As(err, &api) {
		switch api.ErrorCode {
		case codeNoResources, codeStoreFailed, jetstream.JSErrCodeJetStreamNotEnabled, jetstream.JSErrCodeJetStreamNotEnabledForAccount:
			return true
		}
	}
	return errors.Is(err, jetstream.ErrNoStreamResponse) || errors.Is(err, nats.ErrNoResponders)
}

// overflowed tells once, on a goroutine, that the stream stores nothing more.
func (c *Coordinator) overflowed(err error) {
	if !refused(err) {
		return
	}
	c.fill(err)
}

// fill is that, whatever told.
func (c *Coordinator) fill(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over || c.full {
		return
	}
	c.full = true
	close(c.filled)
	if c.c.Full != nil {
		c.watching.Go(func() { c.c.Full(fmt.Errorf("%s takes nothing more: %w", c.c.Dir, err)) })
	}
}

// unheard is how long no snapshot may come from the stream before the disk is looked at.
const unheard = 5 * time.Second

// noting are the sinks, and each snapshot that comes out of the stream is noted.
func (c *Coordinator) noting(to Sinks) Sinks {
	take := to.Snapshot
	to.Snapshot = func(s *ledger.Snapshot) error {
		c.mu.Lock()
		c.stored = time.Now()
		c.mu.Unlock()
		return take(s)
	}
	return to
}

// stuck tells that the stream stores nothing more if it gives nothing back and its disk is full: then it may not even
// refuse what it is given.
func (c *Coordinator) stuck(now time.Time) {
	c.mu.Lock()
	since := now.Sub(c.stored)
	mute := !c.stored.IsZero() && since > unheard && !c.over && !c.full
	c.mu.Unlock()
	if mute && DiskFull(c.c.Dir) {
		c.fill(fmt.Errorf("nothing was stored for %v, and there is no room left", since.Round(time.Second)))
	}
}

// little is less room than a parcel or a page of the stream needs, in bytes.
const little = 64 << 10

// DiskFull reports whether the disk that has dir has hardly any room left: a stream there may give no answer any more.
func DiskFull(dir string) bool {
	var disk syscall.Statfs_t
	return syscall.Statfs(dir, &disk) == nil && uint64(disk.Bavail)*uint64(disk.Bsize) < little
}

// afterwards is how long workers are waited for when the stream stores nothing more. Those that were told so end within
// patience; a stream may also answer nothing at all, and then a worker would ask until the run's last deadline.
const afterwards = 5 * patience

// untilFull is ctx, which also ends some time after the stream has filled.
func (c *Coordinator) untilFull(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, end := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-c.filled:
		case <-ctx.Done():
			return
		}
		select {
		case <-time.After(afterwards):
			end(errors.New("the disk is full"))
		case <-ctx.Done():
		}
	}()
	return ctx, func() { end(nil) }
}
