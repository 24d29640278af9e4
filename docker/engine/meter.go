package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/myriad-iot/myriad/sim"
)

// Meter implements [sim.Metered], by what Docker reads of the container's control group each second. A container that
// is down uses nothing.
func (t *Target) Meter(ctx context.Context, service string, told func(sim.Use)) error {
	b, err := t.box(service)
	if err != nil {
		return err
	}
	return b.meter(ctx, told)
}

func (b *box) meter(ctx context.Context, told func(sim.Use)) error {
	for {
		if err := b.read(ctx, told); err != nil || ctx.Err() != nil {
			return err
		}
		select { // the stream ended with the container; it may be started again
		case <-time.After(time.Second):
		case <-ctx.Done():
			return nil
		}
	}
}

// read tells what the container uses until ctx or the stream ends.
func (b *box) read(ctx context.Context, told func(sim.Use)) error {
	stream, err := b.cli.ContainerStats(ctx, b.id, client.ContainerStatsOptions{Stream: true})
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("ask for the container's use: %w", err)
	}
	defer stream.Body.Close()
	for lines := json.NewDecoder(stream.Body); ; {
		var s container.StatsResponse
		switch err := lines.Decode(&s); {
		case errors.Is(err, io.EOF) || ctx.Err() != nil:
			return nil
		case err != nil:
			return fmt.Errorf("read the container's use: %w", err)
		}
		told(useOf(&s))
	}
}

// useOf counts memory as docker stats does: pages of files that the kernel could give back at once are not the
// service's. Version 1 of control groups calls them total_inactive_file, version 2 inactive_file.
func useOf(s *container.StatsResponse) sim.Use {
	m := &s.MemoryStats
	cached, ok := m.Stats["total_inactive_file"]
	if !ok {
		cached = m.Stats["inactive_file"]
	}
	return sim.Use{CPU: sim.Duration(s.CPUStats.CPUUsage.TotalUsage), Memory: int64(m.Usage - min(cached, m.Usage))}
}
