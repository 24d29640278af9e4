package cluster

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ErrNotBegun says that a run was killed before its coordinator had given the workers anything to do.
var ErrNotBegun = errors.New("it was killed before any device was made, so there is nothing to report")

// Salvage reads the stream in dir of a run whose coordinator was killed. It first calls begin with the run's
// job, then the sinks with everything that had been shipped. A damaged message, as the last one may be, is left
// out and counted. The error says why the stream could not be read, or is that of begin or ctx.
func Salvage(ctx context.Context, dir string, begin func(*Job) (Sinks, error)) (damaged int, err error) {
	locked, err := lock(dir)
	if err != nil {
		return 0, err
	}
	defer func() { _ = locked.Close() }()
	token := rand.Text()
	bus, err := openBus(dir, "", token, nil)
	if err != nil {
		return 0, err
	}
	defer closeBus(bus)
	conn, err := nats.Connect("", nats.InProcessServer(bus), nats.Token(token))
	if err != nil {
		return 0, fmt.Errorf("bus: %w", err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return 0, fmt.Errorf("bus: %w", err)
	}
	stream, err := js.Stream(ctx, streamName)
	if err != nil {
		return 0, fmt.Errorf("the run kept in %s: %w (%v)", dir, ErrNotBegun, err)
	}
	first, err := stream.GetLastMsgForSubject(ctx, subjectJob)
	if err != nil {
		return 0, fmt.Errorf("the run kept in %s: %w (%v)", dir, ErrNotBegun, err)
	}
	job := new(Job)
	if err := json.Unmarshal(first.Data, job); err != nil {
		return 0, fmt.Errorf("the job of the run kept in %s: %w", dir, err)
	}
	sinks, err := begin(job)
	if err != nil {
		return 0, err
	}
	in := newIntake(sinks)
	last := stream.CachedInfo().State.LastSeq
	for n := stream.CachedInfo().State.FirstSeq; n <= last; n++ {
		m, err := stream.GetMsg(ctx, n)
		if err == nil {
			err = in.take(m.Subject, m.Data)
		}
		if ctx.Err() != nil {
			return damaged, ctx.Err()
		}
		if err != nil {
			damaged++
		}
	}
	return damaged, nil
}
