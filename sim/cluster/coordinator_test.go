package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/fleet"
	"github.com/myriad-iot/myriad/sim/ledger"
)

func TestStrides(t *testing.T) {
	p := testPlan()
	p.Fleets[0].Count = 20001
	for _, workers := range []int{1, 4, 7} {
		n := Shards(p, workers)
		if n < workers || n%workers != 0 || shardDevices(p, n) > ShardSize {
			t.Errorf("%d workers: %d shards of %d", workers, n, shardDevices(p, n))
		}
	}
}

func start(t *testing.T, dir string, c Config) *Coordinator {
	t.Helper()
	c.Dir, c.Version = dir, "v"
	if c.Job.Plan == nil {
		c.Job = Job{Plan: testPlan(), Shards: 2}
	}
	if c.Sinks.Snapshot == nil {
		c.Sinks = Sinks{Snapshot: func(*ledger.Snapshot) error { return nil }, Accounts: func([]byte) error { return nil }}
	}
	co, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return co
}

func silent(*sim.Plan, sim.Endpoints) func(*sim.Fleet, sim.Role, sim.Weather) (sim.Dialer, error) {
	return func(*sim.Fleet, sim.Role, sim.Weather) (sim.Dialer, error) {
		return nil, errors.New("nobody is to call")
	}
}

func TestJoinRefused(t *testing.T) {
	co := start(t, t.TempDir(), Config{Expect: 1})
	defer co.Close()
	wrong := co.Place()
	wrong.Token = "guessed"
	cases := []struct {
		name string
		w    *Worker
		want string
	}{
		{"token", &Worker{Place: wrong, Version: "v", Self: Member{Capacity: 100}}, "the token is wrong"},
		{"version", &Worker{Place: co.Place(), Version: "w", Self: Member{Capacity: 100}}, "use the same program"},
		{"capacity", &Worker{Place: co.Place(), Version: "v", Self: Member{Capacity: 4}}, "it carries 4 devices, a shard has 5, and 2 shards are left"},
		{"cannot make its devices", &Worker{Place: co.Place(), Version: "v", Self: Member{Capacity: 100}}, "nobody is to call"},
	}
	for _, c := range cases {
		c.w.Dialer = silent
		if err := c.w.Run(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if err := co.AwaitWorkers(t.Context()); err == nil || !strings.Contains(err.Error(), "nobody is to call") {
		t.Errorf("muster: %v", err)
	}
}

func TestMusterSaysWhatIsMissing(t *testing.T) {
	co := start(t, t.TempDir(), Config{Expect: 2})
	defer co.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	err := co.AwaitWorkers(ctx)
	if err == nil || !strings.Contains(err.Error(), "0 of 2 workers have joined, and nobody carries 2 of 2 shards, 10 devices") {
		t.Error(err)
	}
}

// A worker is known by its host and its process; it is told that it was given up, and so is the owner.
func TestLose(t *testing.T) {
	var mu sync.Mutex
	var lost []Member
	co := start(t, t.TempDir(), Config{Expect: 1, Lost: func(l Loss) { mu.Lock(); lost = append(lost, l.Member); mu.Unlock() }})
	h := hello{Protocol: Protocol, Version: "v", Member: Member{Worker: "w", Host: "here", Pid: 7, Capacity: 100}}
	var a answer
	w := &Worker{Place: co.Place()}
	var err error
	if w.conn, err = w.Place.connect(); err != nil {
		t.Fatal(err)
	}
	defer w.conn.Close()
	for range 2 { // who asks again gets the same
		if err := w.ask(t.Context(), subjectJoin, &h, &a, patience); err != nil || !slices.Equal(a.Mine, []int{0, 1}) {
			t.Fatalf("%+v, %v", a, err)
		}
	}
	if co.Lose("there", 7, "x") || co.Lose("here", 8, "x") {
		t.Error("another's process was taken for the worker's")
	}
	if !co.Lose("here", 7, "it died") || !co.Lose("here", 7, "again") {
		t.Error("the worker is not known")
	}
	var p pulse
	if err := w.ask(t.Context(), subjectBeat, &beat{Worker: "w"}, &p, patience); err != nil || p.Fenced != "it died" {
		t.Errorf("%+v, %v", p, err)
	}
	co.Close()
	if len(lost) != 1 || lost[0].Lost != "it died" || len(lost[0].Shards) != 2 {
		t.Errorf("%+v", lost)
	}
}

// The bus is there until a worker that has said goodbye has heard that it was heard.
func TestGoodbyeIsAnswered(t *testing.T) {
	co := start(t, t.TempDir(), Config{Expect: 1})
	h := hello{Protocol: Protocol, Version: "v", Member: Member{Worker: "w", Host: "here", Pid: 7, Capacity: 100}}
	var a answer
	w := &Worker{Place: co.Place(), lease: time.Second}
	w.Self.Worker = "w"
	var err error
	if w.conn, err = w.Place.connect(); err != nil {
		t.Fatal(err)
	}
	if err := w.ask(t.Context(), subjectJoin, &h, &a, patience); err != nil {
		t.Fatal(err)
	}
	state := fleet.State{Fleets: make([]fleet.FleetState, 1)}
	var p pulse
	if err := w.ask(t.Context(), subjectBeat, &beat{Worker: "w", Ready: true, Gone: true, State: state}, &p, patience); err != nil {
		t.Fatal(err)
	}
	late, _ := json.Marshal(beat{Worker: "w", State: state}) // made before the goodbye
	if co.beat(late); !co.members[0].gone || !co.members[0].ready {
		t.Errorf("a late beat took back what was said: %+v", co.members[0])
	}
	closed := make(chan struct{})
	go func() { co.Close(); close(closed) }()
	time.Sleep(100 * time.Millisecond)
	if err := w.confirmEnd(t.Context()); err == nil || !strings.Contains(err.Error(), "another plan") {
		t.Errorf("no answer to a goodbye: %v", err) // this one has no shards, and is told so
	}
	w.conn.Close()
	select {
	case <-closed:
	case <-time.After(time.Second):
		t.Error("the bus is open after everybody has left")
	}
}

// Who ends a run while its workers start is not told to raise a limit.
func TestD3_11_InterruptedMuster(t *testing.T) {
	co := start(t, t.TempDir(), Config{Expect: 1})
	defer co.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := co.AwaitWorkers(ctx); err == nil || err.Error() != "interrupted while the workers started" {
		t.Errorf("canceled: %v", err)
	}
	ctx, cancel = context.WithTimeoutCause(t.Context(), time.Nanosecond, errors.New("it took longer than --timeout 1ns"))
	defer cancel()
	if err := co.AwaitWorkers(ctx); err == nil || !strings.HasSuffix(err.Error(), "while the workers started: it took longer than --timeout 1ns") {
		t.Errorf("out of time: %v", err)
	}
}

// A stream that stores nothing more is told of once, and a worker that has something left does not wait for it.
func TestD3_9_AStreamThatIsFull(t *testing.T) {
	full := make(chan error, 2)
	co := start(t, t.TempDir(), Config{Expect: 1, Full: func(err error) { full <- err }})
	defer co.Close()
	js, err := jetstream.New(co.conn)
	if err != nil {
		t.Fatal(err)
	}
	ship := &shipper{js: js, worker: "w"}
	ship.dispatch([]byte("a snapshot"))
	if err := ship.last(t.Context(), nil, 0); err != nil {
		t.Fatal(err)
	}
	// From here on the stream has room for a message and no more, and says so as it does when its disk is full.
	if _, err := co.js.UpdateStream(t.Context(), jetstream.StreamConfig{
		Name: streamName, Subjects: []string{streamAll}, Storage: jetstream.FileStorage, Duplicates: 2 * time.Minute, MaxBytes: 1, Discard: jetstream.DiscardNew,
	}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		co.Keep("x", "y")
	}
	select {
	case err := <-full:
		if !strings.Contains(err.Error(), "takes nothing more: ") {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("nobody is told")
	}
	ship.dispatch([]byte("another"))
	began := time.Now()
	bounded, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := ship.last(bounded, nil, 0); err == nil || !strings.Contains(err.Error(), "cannot store what was shipped") || time.Since(began) > 30*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
	if len(full) > 0 {
		t.Error("told twice")
	}
}

// What a coordinator kept is read again, and not while it is still writing.
func TestSalvage(t *testing.T) {
	dir := t.TempDir()
	co := start(t, dir, Config{Expect: 1})
	p := testPlan()
	r := ledger.NewRecorder(p, 9, 0)
	for i := range 3 {
		r.Count(sim.CountSent, 0, 0, sim.Instant(i)*time.Second)
		s := r.Snapshot()
		co.Ship(&s)
		co.Keep("note", i)
	}
	<-co.js.PublishAsyncComplete()
	begin := func(*Job) (Sinks, error) { return Sinks{}, nil }
	if _, err := Salvage(t.Context(), dir, begin); err == nil || !strings.Contains(err.Error(), "a run is using") {
		t.Errorf("while it runs: %v", err)
	}
	co.Close()
	fold, notes := reports.NewFold(p), ""
	damaged, err := Salvage(t.Context(), dir, func(j *Job) (Sinks, error) {
		if j.Shards != 2 || len(j.Plan.Fleets) != 1 {
			t.Errorf("%+v", j)
		}
		return Sinks{Snapshot: fold.Add, Kept: func(kind string, data []byte) error {
			notes += fmt.Sprint(kind, string(data), " ")
			return nil
		}}, nil
	})
	sent := uint64(0)
	for _, f := range fold.Frames(0, 3) {
		sent += f.Sent
	}
	if err != nil || damaged != 0 || sent != 3 || notes != "note0 note1 note2 " {
		t.Errorf("damaged %d, sent %d, %q, %v", damaged, sent, notes, err)
	}
	if _, err := Salvage(t.Context(), t.TempDir(), begin); err == nil {
		t.Error("salvaged nothing")
	}
}

// A worker that comes while the coordinator is still opening its bus asks again.
func TestRequestWaitsForTheCoordinator(t *testing.T) {
	co := start(t, t.TempDir(), Config{Expect: 1})
	defer co.Close()
	answered := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		m, err := request(ctx, co.conn, "nobody.yet", []byte("?"))
		if err == nil && string(m.Data) != "!" {
			err = fmt.Errorf("answer %q", m.Data)
		}
		answered <- err
	}()
	time.Sleep(50 * time.Millisecond)
	if _, err := co.conn.Subscribe("nobody.yet", func(m *nats.Msg) { _ = m.Respond([]byte("!")) }); err != nil {
		t.Fatal(err)
	}
	if err := <-answered; err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := request(ctx, co.conn, "nobody.ever", nil); err == nil {
		t.Error("an answer from nobody")
	}
}
