package fleet_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/backend"
	"github.com/myriad-iot/myriad/sim/fleet"
	"github.com/myriad-iot/myriad/sim/ledger"
	"github.com/myriad-iot/myriad/sim/mqtt"
	"github.com/myriad-iot/myriad/sim/probe"
)

// clock is the run's time.
type clock struct{ t0 time.Time }

func (c clock) Now() sim.Instant { return time.Since(c.t0) }

// startBroker runs an MQTT broker in this process until the test ends.
func startBroker(t *testing.T) string {
	t.Helper()
	b, err := backend.NewBroker("127.0.0.1:0", nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { b.Run(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	return b.Addr()
}

// settled runs a plan whose devices call at one address, with the probe at another, and closes the ledger.
func settled(t *testing.T, p *sim.Plan, devices, far string) *ledger.Settlement {
	t.Helper()
	c := clock{time.Now().Add(200 * time.Millisecond)}
	recorder := ledger.NewRecorder(p, 0, 0)
	book := ledger.New(p, 77, recorder)
	for i := range p.Fleets {
		book.Observable(i, true, false)
	}
	pr := &probe.Probe{Plan: p, RunID: 77, Endpoints: sim.Endpoints{sim.SchemeMQTT: {far}}, Witness: book, Clock: c}
	ctx, cancel := context.WithCancel(context.Background())
	var probing sync.WaitGroup
	probing.Go(func() { pr.Run(ctx) })
	defer func() { cancel(); probing.Wait() }()
	<-pr.Ready()
	w := &fleet.Solo{Devices: fleet.Crew{
		RunID: 77, Endpoints: sim.Endpoints{sim.SchemeMQTT: {devices}}, Recorder: recorder, Account: book.Account, Receiver: book.Receiver, WillAccount: book.WillAccount,
		Dialer: func(f *sim.Fleet, r sim.Role, w sim.Weather) (sim.Dialer, error) {
			return &mqtt.Dialer{Binding: *f.Binding(r), Fleet: f.Name}, nil
		},
	}}
	w.Plan, w.T0 = p, c.t0
	w.Far = func(ctx context.Context) { pr.Drain(ctx, 500*time.Millisecond) }
	if err := w.Prepare(); err != nil {
		t.Fatal(err)
	}
	if err := w.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	pr.Drain(t.Context(), 500*time.Millisecond) // what the brokers say when the devices are gone
	return book.Close(w.Now(), 200*time.Millisecond)
}

func liarPlan(devices int, every, length time.Duration) *sim.Plan {
	return &sim.Plan{
		Seed: 1,
		Fleets: []sim.Fleet{{
			Name: "meters", Count: devices,
			Model:    sim.Model{Name: "meter", Encoding: sim.EncodingJSON, Buffer: sim.Buffer{Capacity: 5000}}, // a slow machine sends them late, not never
			Bindings: []sim.Binding{{Role: sim.RoleData, Channel: sim.ChannelMQTT, QoS: 1}},
			Skills:   []sim.Skill{{Name: sim.SkillReport, Topic: "m/{id}", Every: sim.Duration(every)}},
		}},
		Acts: []sim.Act{
			{Kind: sim.ActConnect, Select: &sim.Selection{Fleet: "meters", All: true}, Curve: sim.CurveEvenly, Over: sim.Duration(time.Second), Hold: sim.Duration(time.Second)},
			{Kind: sim.ActPhaseRun, Phase: "load", At: sim.Duration(time.Second), Hold: sim.Duration(length)},
		},
	}
}

// Whatever a liar between the devices and the broker does, the ledger says exactly so. The whole
// of it is 200,000 messages and more; -short makes it a tenth.
func TestALiarIsReportedExactly(t *testing.T) {
	length, devices := 26*time.Second, 800
	if testing.Short() {
		length = 3 * time.Second
	}
	if underRace {
		devices = 150
	}
	l := &liar{between: between{broker: startBroker(t)}, lose: 100, double: 70, swap: 130}
	got := settled(t, liarPlan(devices, 100*time.Millisecond, length), l.listen(t, l.serve), l.broker).All
	l.mu.Lock()
	defer l.mu.Unlock()
	t.Logf("liar saw %d: lost %d, doubled %d, swapped %d; ledger %+v", l.seen, l.lost, l.doubled, l.swapped, got)
	if want := devices * 250; !testing.Short() && l.seen < want {
		t.Errorf("only %d messages passed the liar, want %d", l.seen, want)
	}
	for _, c := range []struct {
		what      string
		got, want uint64
	}{
		{"sent", got.Sent, uint64(l.seen)},
		{"acked", got.Acked, uint64(l.seen)},
		{"lost", got.Lost + got.Unsettled, uint64(l.lost)},
		{"duplicated", got.Duplicated, uint64(l.doubled)},
		{"reordered", got.Reordered, uint64(l.swapped)},
		{"received", got.Received, uint64(l.seen - l.lost)},
		{"unknown", got.Unknown, 0},
		{"phantom", got.Phantom, 0},
	} {
		if c.got != c.want {
			t.Errorf("%s: the ledger says %d, the liar did %d", c.what, c.got, c.want)
		}
	}
}
