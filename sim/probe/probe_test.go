package probe

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
	"github.com/myriad-iot/myriad/sim/ledger"
	"github.com/myriad-iot/myriad/sim/mqtt"
)

// broker is a mochi broker at an address that it keeps.
type broker struct {
	*mochi.Server
	address string
}

func startBroker(t *testing.T, address string) *broker {
	t.Helper()
	caps := mochi.NewDefaultServerCapabilities()
	s := mochi.New(&mochi.Options{Logger: slog.New(slog.DiscardHandler), InlineClient: true, Capabilities: caps})
	if err := s.AddHook(new(auth.AllowHook), nil); err != nil {
		t.Fatal(err)
	}
	l := listeners.NewTCP(listeners.Config{ID: "t", Address: address})
	if err := s.AddListener(l); err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(); err != nil {
		t.Fatal(err)
	}
	b := &broker{s, l.Address()}
	t.Cleanup(b.stop)
	return b
}

func (b *broker) stop() {
	if b.Server != nil {
		_ = b.Close()
		b.Server = nil
	}
}

// sessions are the clients that the broker knows, connected or not, without its own.
func (b *broker) sessions() (ids []string) {
	for id := range b.Clients.GetAll() {
		if id != mochi.InlineClientId {
			ids = append(ids, id)
		}
	}
	return ids
}

// unacknowledged is how many messages the broker has passed on that nobody has acknowledged yet.
func (b *broker) unacknowledged() (n int) {
	for _, c := range b.Clients.GetAll() {
		n += c.State.Inflight.Len()
	}
	return n
}

func (b *broker) say(t *testing.T, topic, payload string) {
	t.Helper()
	if err := b.Publish(topic, []byte(payload), false, 1); err != nil {
		t.Error(err)
	}
}

type clock struct{ t0 time.Time }

func (c clock) Now() sim.Instant { return time.Since(c.t0) }

type witness struct {
	mu    sync.Mutex
	seen  map[sim.Stamp]int
	at    map[sim.Stamp]sim.Instant
	wrong int
	clock clock
}

func (w *witness) See(s sim.Sighting) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen[s.Stamp]++
	w.at[s.Stamp] = s.At
	if s.Stored || s.At < 0 || s.At > w.clock.Now() {
		w.wrong++
	}
}

func (w *witness) count(s sim.Stamp) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen[s]
}

// sightings is the number of all messages, copies included.
func (w *witness) sightings() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, k := range w.seen {
		n += k
	}
	return n
}

// len is the number of distinct messages.
func (w *witness) len() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.seen)
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for until := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

const run = 0xCAFE

func newProbe(endpoints ...string) (*Probe, *witness) {
	w := &witness{seen: make(map[sim.Stamp]int), at: make(map[sim.Stamp]sim.Instant), clock: clock{time.Now()}}
	coap := mqttFleet("rooms", "rooms/{id}")
	coap.Bindings[0].Channel = sim.ChannelCoAP
	plan := &sim.Plan{Fleets: []sim.Fleet{mqttFleet("m", "m/{id}"), coap, mqttFleet("n", "n/{id}/t")}}
	return &Probe{Plan: plan, RunID: run, Endpoints: sim.Endpoints{sim.SchemeMQTT: endpoints}, Witness: w, Clock: w.clock}, w
}

// start runs p until the returned function is called, and waits until it is ready.
func start(t *testing.T, p far) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	select {
	case <-p.Ready():
	case err := <-ended:
		ended <- nil
		t.Fatal(err)
	}
	return stop
}

func stamped(fleet uint16, device, seq int) (sim.Stamp, string) {
	s := sim.Stamp{Run: run, Fleet: fleet, Device: sim.Ordinal(device), Seq: uint32(seq), Due: time.Second}
	return s, "<" + string(s.Append(nil)) + ">"
}

func TestProbeSeesWhatIsOurs(t *testing.T) {
	b := startBroker(t, "127.0.0.1:0")
	p, w := newProbe(b.address)
	stop := start(t, p)
	const n = 200
	for i := range n {
		_, text := stamped(0, i%10, i)
		b.say(t, "m/"+strconv.Itoa(i%10), text)
		_, text = stamped(2, i%10, i)
		b.say(t, "n/x/t", text)
	}
	twice, text := stamped(0, 3, n)
	b.say(t, "m/3", text) // the target duplicates: two sightings
	b.say(t, "m/3", text)
	b.say(t, "m/3", "hello")
	for _, foreign := range []sim.Stamp{
		{Run: run + 1}, {Run: run, Fleet: 1}, {Run: run, Fleet: 3}, {Run: run, Device: 10},
	} {
		b.say(t, "m/3", string(foreign.Append(nil)))
	}
	_, text = stamped(0, 1, 1)
	b.say(t, "elsewhere/3", text)
	eventually(t, "all came", func() bool { return b.unacknowledged() == 0 })
	if err := p.Drain(t.Context(), 20*time.Millisecond); err != nil {
		t.Error(err)
	}
	if w.sightings() != 2*n+2 || w.count(twice) != 2 || w.wrong != 0 || len(w.seen) != 2*n+1 {
		t.Errorf("%d sightings, %d distinct, %d wrong", w.sightings(), len(w.seen), w.wrong)
	}
	if ids := b.sessions(); len(ids) != 1 || ids[0] != "myriad-probe-0000cafe-0" {
		t.Errorf("sessions %v", ids)
	}
	stop()
	eventually(t, "no session is left", func() bool { return len(b.sessions()) == 0 })
	if len(p.Outages()) != 0 {
		t.Errorf("outages %+v", p.Outages())
	}
}

func TestProbeOfSeveralEndpoints(t *testing.T) {
	a, b := startBroker(t, "127.0.0.1:0"), startBroker(t, "127.0.0.1:0")
	p, w := newProbe(a.address, b.address)
	start(t, p)
	for device := range 10 { // as a cluster: everything comes from both
		_, text := stamped(0, device, 0)
		a.say(t, "m/x", text)
		b.say(t, "m/x", text)
	}
	eventually(t, "all came", func() bool { return a.unacknowledged()+b.unacknowledged() == 0 })
	if w.sightings() != 10 {
		t.Errorf("%d sightings of 10 messages that both have", w.sightings())
	}
	for device := range 10 {
		if s, _ := stamped(0, device, 0); w.count(s) != 1 {
			t.Errorf("device %d: seen %d times", device, w.count(s))
		}
	}
}

func TestProbeOutlivesTheBroker(t *testing.T) {
	b := startBroker(t, "127.0.0.1:0")
	p, w := newProbe(b.address)
	stop := start(t, p)
	for round := range 3 {
		b.stop()
		eventually(t, "an outage", func() bool { return len(p.Outages()) == round+1 })
		if o := p.Outages()[round]; !o.Lasts || o.Endpoint != b.address || o.To < o.From {
			t.Errorf("while it lasts: %+v", o)
		}
		again := startBroker(t, b.address)
		eventually(t, "the outage ends", func() bool { return !p.Outages()[round].Lasts })
		if o := p.Outages()[round]; o.Resumed || o.To <= o.From || o.To > w.clock.Now() {
			t.Errorf("afterwards: %+v", o)
		}
		s, text := stamped(0, 1, round)
		again.say(t, "m/1", text)
		eventually(t, "the subscription works", func() bool { return w.count(s) == 1 })
		b = again
	}
	b.stop() // and Run ends although the broker is down
	eventually(t, "an outage", func() bool { return len(p.Outages()) == 4 })
	stop()
}

// The probe's own connection breaks, the broker lives: what it delivers meanwhile is not lost, and what
// it delivers twice because of us is not a duplicate.
func TestProbeResumesItsSession(t *testing.T) {
	b := startBroker(t, "127.0.0.1:0")
	wire := startWire(t, b.address)
	p, w := newProbe(wire.address)
	start(t, p)
	first, text := stamped(0, 1, 0)
	wire.muteUp() // the PUBACK of what follows never arrives
	b.say(t, "m/1", text)
	eventually(t, "the first came", func() bool { return w.count(first) == 1 })
	wire.cut(true)
	eventually(t, "an outage", func() bool { return len(p.Outages()) == 1 })
	const n = 50
	for i := 1; i <= n; i++ {
		_, text := stamped(0, 1, i)
		b.say(t, "m/1", text)
	}
	wire.cut(false)
	eventually(t, "the rest came", func() bool { return w.len() == n+1 })
	eventually(t, "and the first again", func() bool { return b.unacknowledged() == 0 })
	if o := p.Outages()[0]; !o.Resumed || o.Lasts {
		t.Errorf("outage %+v", o)
	}
	for i := range n + 1 {
		if s, _ := stamped(0, 1, i); w.count(s) != 1 {
			t.Errorf("%d: seen %d times", i, w.count(s))
		}
	}
}

// What a broker has retained it sends to whoever subscribes, and to the probe again when its session is gone:
// that is not a second delivery.
func TestRetainedReplaysAreNoDeliveries(t *testing.T) {
	b := startBroker(t, "127.0.0.1:0")
	wire := startWire(t, b.address)
	p, w := newProbe(wire.address)
	start(t, p)
	s, text := stamped(0, 1, 0)
	if err := b.Publish("m/1", []byte(text), true, 1); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the message came", func() bool { return w.count(s) == 1 })
	wire.cut(true)
	eventually(t, "an outage", func() bool { return len(p.Outages()) == 1 })
	sent := atomic.LoadInt64(&b.Info.MessagesSent)
	for _, id := range b.sessions() {
		b.Clients.Delete(id) // the broker forgets the session, and keeps what is retained
	}
	missed, text := stamped(0, 2, 0)
	if err := b.Publish("m/2", []byte(text), true, 1); err != nil {
		t.Fatal(err)
	}
	wire.cut(false)
	eventually(t, "the replays came", func() bool {
		return atomic.LoadInt64(&b.Info.MessagesSent) == sent+2 && b.unacknowledged() == 0
	})
	if o := p.Outages()[0]; o.Resumed || w.count(s) != 1 || w.count(missed) != 0 {
		t.Errorf("outage %+v: %d and %d sightings", o, w.count(s), w.count(missed))
	}
}

// Since when a silent connection was broken nobody knows: since something was last heard. A machine that has
// no descriptor left is why the probe does not come back.
func TestOutagesOfSilenceAndOfOurOwn(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		p, _ := newProbe("x", "y")
		p.prepare()
		p.Clock, p.missing = clock{time.Now()}, 2
		told := 0
		p.Away = func(int, ledger.Outage) { told++ }
		x, y := &listener{probe: p, endpoint: "x", of: 2}, &listener{probe: p, endpoint: "y", index: 1, of: 2}
		x.up(false)
		y.up(false)
		time.Sleep(10 * time.Second)
		x.message(nil, []byte("x"), time.Now(), false, false)
		time.Sleep(90 * time.Second)
		x.down(fmt.Errorf("subscription at x: %w", mqtt.ErrSilent))
		y.down(io.EOF)
		time.Sleep(time.Second)
		x.retry(syscall.ECONNREFUSED)
		y.retry(fmt.Errorf("dial: %w", syscall.EMFILE))
		time.Sleep(time.Second)
		y.up(true)
		want := []ledger.Outage{
			{Endpoint: "x", Of: 2, From: 10 * time.Second, To: 102 * time.Second, Lasts: true},
			{Endpoint: "y", Index: 1, Of: 2, From: 100 * time.Second, To: 102 * time.Second, Resumed: true, Own: true},
		}
		if got := p.Outages(); !slices.Equal(got, want) || told != 4 {
			t.Errorf("%+v, told %d times", got, told)
		}
	})
}

func TestProbeWithNothingToSee(t *testing.T) {
	for _, p := range []*Probe{
		{Plan: &sim.Plan{}, Endpoints: sim.Endpoints{sim.SchemeMQTT: {"127.0.0.1:1"}}},
		{Plan: &sim.Plan{Fleets: []sim.Fleet{mqttFleet("m", "m/{id}")}}},
	} {
		start(t, p)()
	}
}

func TestProbeNeverUp(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = free.Close()
	p, _ := newProbe(free.Addr().String())
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := p.Run(ctx); err == nil {
		t.Error("no error")
	}
	select {
	case <-p.Ready():
		t.Error("ready")
	default:
	}
}

func TestDrain(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		p, _ := newProbe("x")
		p.prepare()
		l := &listener{probe: p}
		time.Sleep(time.Hour)
		go func() {
			for range 5 {
				time.Sleep(900 * time.Millisecond)
				l.message(nil, []byte("x"), time.Now(), false, false)
			}
		}()
		begin := time.Now()
		if err := p.Drain(t.Context(), time.Second); err != nil || time.Since(begin) != 5500*time.Millisecond {
			t.Errorf("drained after %v: %v", time.Since(begin), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		begin = time.Now()
		if err := p.Drain(ctx, time.Second); err == nil || time.Since(begin) != 300*time.Millisecond {
			t.Errorf("gave up after %v: %v", time.Since(begin), err)
		}
	})
}

func TestRecent(t *testing.T) {
	var r recent
	k := func(i int) key { return key{1, 0, sim.Ordinal(i % 7), uint32(i)} }
	newest, oldest, forgotten := 2*recentSize+4, recentSize+5, recentSize+4
	for i := range newest + 1 {
		r.add(k(i))
	}
	if len(r.ring) != recentSize {
		t.Fatalf("%d remembered", len(r.ring))
	}
	if r.again(k(newest)) {
		t.Error("no connection was lost, and something is a redelivery")
	}
	r.lost()
	for _, c := range []struct {
		i    int
		want bool
	}{{newest, true}, {newest, false}, {oldest, true}, {forgotten, false}} {
		if got := r.again(k(c.i)); got != c.want {
			t.Errorf("%d: %v", c.i, got)
		}
	}
	r.lost()
	if !r.again(k(newest)) {
		t.Error("after another loss it can be redelivered again")
	}
}

type nobody struct{}

func (nobody) See(sim.Sighting) {}

func BenchmarkMessage(b *testing.B) {
	p, _ := newProbe("x")
	p.Witness = nobody{}
	p.Plan.Fleets[0].Count = 10_000
	l := &listener{probe: p}
	payload := make([]byte, 0, 200)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s := sim.Stamp{Run: run, Device: sim.Ordinal(i % 10_000), Seq: uint32(i / 10_000)}
		payload = s.Append(append(payload[:0], `{"id":"meters-7","temperature":21.4,"_m":"`...))
		l.message(nil, payload, time.Now(), false, false)
	}
}

// A message counts where its device sends it, and nowhere else, however many devices there are.
func TestEachMessageIsOursAtItsEndpoint(t *testing.T) {
	at := sim.Endpoints{sim.SchemeMQTT: {"a:1", "b:1", "c:1"}}
	p := &Probe{RunID: 7, Plan: &sim.Plan{Fleets: []sim.Fleet{{Count: 5000, Skills: []sim.Skill{{Name: sim.SkillReport, Topic: "t"}}, Bindings: []sim.Binding{
		{Role: sim.RoleData, Channel: sim.ChannelMQTT},
	}}}}}
	p.prepare()
	for o := range sim.Ordinal(5000) {
		for i, endpoint := range at[sim.SchemeMQTT] {
			want := at.Of(sim.SchemeMQTT, o) == endpoint
			if got := p.ours(sim.Stamp{Run: 7, Device: o}, i, 3); got != want {
				t.Fatalf("device %d at %s: %t, want %t", o, endpoint, got, want)
			}
		}
	}
}
