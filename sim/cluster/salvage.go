package cluster

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Salvage reads the stream in dir that a coordinator left which did not live to close it. It calls begin
// with the run's job first, and the sinks with all that had been shipped; Kept is always called. A
// message that is damaged, as the last may be, is left out and counted.
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
		return 0, fmt.Errorf("no run is kept in %s: %w", dir, err)
	}
	first, err := stream.GetLastMsgForSubject(ctx, subjectJob)
	if err != nil {
		return 0, fmt.Errorf("the run kept in %s had not begun: %w", dir, err)
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
