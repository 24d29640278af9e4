package backend

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/probe"
)

// both is the witness of a probe and of a journal.
type both struct {
	mu               sync.Mutex
	stored, received map[sim.Stamp]int
}

func (b *both) See(s sim.Sighting) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.Stored {
		b.stored[s.Stamp]++
	} else {
		b.received[s.Stamp]++
	}
}

// Devices publish to two broker processes as fast as they are answered. Everything is stored once and
// received once, and the target passes the check for strangers.
func TestProbeAndJournalAgree(t *testing.T) {
	seen, clock := &both{stored: map[sim.Stamp]int{}, received: map[sim.Stamp]int{}}, wall{time.Now()}
	tg := &Target{Brokers: 2, CoAP: true}
	tg.Journal(seen, clock)
	at := target(t, tg)
	if err := probe.Check(t.Context(), nil, at); err != nil {
		t.Fatal(err)
	}
	const devices, each = 100, 50
	plan := &sim.Plan{Fleets: []sim.Fleet{{}, {
		Name: "d", Count: devices, Skills: []sim.Skill{{Name: sim.SkillReport, Topic: "d/{id}"}},
		Bindings: []sim.Binding{{Role: sim.RoleData, Channel: sim.ChannelMQTT}},
	}}}
	plan.Fleets[0] = plan.Fleets[1]
	p := &probe.Probe{Plan: plan, RunID: 7, Endpoints: at, Witness: seen, Clock: clock}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	<-p.Ready()
	var wg sync.WaitGroup
	for d := range devices {
		c := mustDial(t, at[sim.SchemeMQTT][d%2], "d-"+strconv.Itoa(d))
		wg.Go(func() {
			for i := range each {
				if err := c.acked("d/d-"+strconv.Itoa(d), payload(stamp(d, i)), uint16(i+1)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if err := p.Drain(t.Context(), time.Second); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := tg.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	for d := range devices {
		for i := range each {
			if s := stamp(d, i); seen.stored[s] != 1 || seen.received[s] != 1 {
				t.Fatalf("device %d, message %d: stored %d times, received %d times", d, i, seen.stored[s], seen.received[s])
			}
		}
	}
	if len(seen.stored) != devices*each || len(seen.received) != devices*each {
		t.Errorf("%d stored, %d received", len(seen.stored), len(seen.received))
	}
}
