package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/myriad-iot/myriad/sim/fleet"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// What a worker ships after it was given up does not count, and what came before does.
func TestD5_TheFenceKeepsOutWhatComesLate(t *testing.T) {
	var counted atomic.Int32
	co := start(t, t.TempDir(), Config{Expect: 3, Job: Job{Plan: testPlan(), Shards: 6}, Sinks: Sinks{
		Snapshot: func(*ledger.Snapshot) error { counted.Add(1); return nil },
		Accounts: func([]byte) error { return nil },
	}})
	defer co.Close()
	crowd(t, co, 100, 100, 100)
	shard := uint32(co.members[0].Shards[0])
	snaps := snapshots(t, testPlan(), shard, 0, 3)
	ship := func(data []byte) {
		if _, err := co.js.Publish(t.Context(), subjectSnap, data); err != nil {
			t.Fatal(err)
		}
	}
	ship(snaps[0])
	co.Lose("here", 0, "it died")
	ship(snaps[1])
	ship(snaps[2])
	if err := co.collect.finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := counted.Load(); n != 1 {
		t.Errorf("%d snapshots counted, want the one before the fence", n)
	}
}

// The devices of a worker that is cut off have stopped before others begin them: a device never acts twice.
func TestD5_TheLeaseEndsBeforeATakeover(t *testing.T) {
	const lease = 3 * time.Second
	origin := time.Now()
	w := &Worker{lease: lease, origin: origin}
	asked := origin.Add(10 * time.Second)
	if !w.renew(asked) {
		t.Fatal("the lease is over before it began")
	}
	// The coordinator hears a worker after it asked, and gives it up a lease later at the earliest.
	begin := 10*time.Second + lease + lead
	if w.leased.Over(10*time.Second + lease) {
		t.Error("the devices stop before the lease ends")
	}
	if !w.leased.Over(begin - time.Second) {
		t.Errorf("the devices still act at %v, and others begin them at %v", begin-time.Second, begin)
	}
}

// A worker that has said goodbye is not lost, whether nothing more is heard of it or its process ends.
func TestD5_GoodbyeIsNoLoss(t *testing.T) {
	lost := make(chan string, 2)
	co := start(t, t.TempDir(), Config{
		Expect: 3, Job: Job{Plan: testPlan(), Shards: 6, Lease: 50 * time.Millisecond},
		Lost: func(l Loss) { lost <- l.Worker },
	})
	defer co.Close()
	state := fleet.State{Fleets: make([]fleet.FleetState, 1)}
	// All say goodbye in their first beat but the last one, which the watch comes to after them.
	for i := range 3 {
		name := fmt.Sprint("w", i)
		h, _ := json.Marshal(hello{Protocol: Protocol, Version: "v", Member: Member{Worker: name, Host: "here", Pid: i, Capacity: 100}})
		b, _ := json.Marshal(beat{Worker: name, Ready: true, Gone: i < 2, State: state})
		if a := co.join(h); a.Refused != "" {
			t.Fatal(a.Refused)
		}
		co.beat(b)
	}
	co.Lose("here", 1, "its process ended")
	if name := <-lost; name != "w2" {
		t.Errorf("%s is lost", name)
	}
	for _, m := range co.Members() {
		if (m.Lost != "") != (m.Worker == "w2") {
			t.Errorf("%s is lost: %q", m.Worker, m.Lost)
		}
	}
}

// stream is a JetStream of which only the asynchronous publishing is used; its answers are the test's.
type stream struct {
	jetstream.JetStream
	refuse bool // takes nothing at all
	sent   []string
	acks   []*ack
}

type ack struct {
	jetstream.PubAckFuture
	ok  chan *jetstream.PubAck
	err chan error
}

func (a *ack) Ok() <-chan *jetstream.PubAck { return a.ok }
func (a *ack) Err() <-chan error            { return a.err }

func (s *stream) PublishAsync(string, []byte, ...jetstream.PublishOpt) (jetstream.PubAckFuture, error) {
	return nil, nil
}

func (s *stream) PublishMsgAsync(m *nats.Msg, _ ...jetstream.PublishOpt) (jetstream.PubAckFuture, error) {
	if s.refuse {
		return nil, errors.New("too many are under way")
	}
	a := &ack{ok: make(chan *jetstream.PubAck, 1), err: make(chan error, 1)}
	s.sent, s.acks = append(s.sent, m.Header.Get(nats.MsgIdHdr)), append(s.acks, a)
	return a, nil
}

// A parcel is sent, with the same id, until the stream has acknowledged it.
func TestD5_ParcelsAreSentUntilTheStreamHasThem(t *testing.T) {
	far := &stream{refuse: true}
	s := &shipper{js: far, worker: "w"}
	check := func(what string, unacked int, sent ...string) {
		t.Helper()
		if len(s.unacked) != unacked || !slices.Equal(far.sent, sent) {
			t.Fatalf("%s: %d unacked, sent %q; want %d, %q", what, len(s.unacked), far.sent, unacked, sent)
		}
	}
	s.dispatch([]byte("a"))
	check("nothing was handed over", 1)
	s.resend()
	check("again not", 1)
	far.refuse = false
	s.resend()
	check("handed over", 1, "w.0")
	s.resend()
	check("under way", 1, "w.0")
	far.acks[0].err <- errors.New("no responders")
	s.dispatch([]byte("b"))
	s.resend()
	check("the first one failed", 2, "w.0", "w.1", "w.0")
	far.acks[1].ok <- nil
	s.resend()
	check("the second one is there", 1, "w.0", "w.1", "w.0")
	far.acks[2].ok <- nil
	s.resend()
	check("both are there", 0, "w.0", "w.1", "w.0")
}

// The difference of the clocks comes from the quickest answer, whose way there took as long as its way back.
func TestD5_ClocksAreComparedInTheMiddleOfTheQuickestTrip(t *testing.T) {
	const wait = 40 * time.Millisecond
	bus, err := openBus(t.TempDir(), "127.0.0.1:0", "x", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer closeBus(bus)
	conn, err := nats.Connect("", nats.InProcessServer(bus), nats.Token("x"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var n, quick atomic.Int32 // answers so far; the only one that does not take long to be made, -1 is each of them
	if _, err := conn.Subscribe(subjectClock, func(m *nats.Msg) {
		if q := quick.Load(); q >= 0 && n.Load() != q {
			time.Sleep(4 * wait)
		}
		time.Sleep(wait)
		b, _ := json.Marshal(time.Now().Add(time.Hour).UnixNano())
		time.Sleep(wait)
		n.Add(1)
		_ = m.Respond(b)
	}); err != nil {
		t.Fatal(err)
	}
	for _, q := range []int32{-1, 0, 3} {
		n.Store(0)
		quick.Store(q)
		ahead, bound, err := compareClocks(t.Context(), conn)
		if off := (ahead + time.Hour).Abs(); err != nil || off > wait/2 || bound < wait || bound > 2*wait || n.Load() != clockTrips {
			t.Errorf("ahead %v, wrong by %v, bound %v, %v", ahead, off, bound, err)
		}
	}
}
