package probe

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

const operatorRun = 77

// commanded is a plan of devices that take commands, and one act that tells some of them.
func commanded(count int, a sim.Act) *sim.Plan {
	a.Kind, a.Task = sim.ActTask, &sim.Task{Skill: sim.SkillObey, Verb: "command", Args: map[string]string{"name": `say "hi"`}, Sent: true}
	qos := byte(1)
	return &sim.Plan{Seed: 5, Acts: []sim.Act{{Kind: sim.ActConnect}, a}, Fleets: []sim.Fleet{
		{Name: "mute", Count: 1, Bindings: []sim.Binding{{Role: sim.RoleData, Channel: sim.ChannelMQTT}}},
		{Name: "valves", Count: count, Bindings: []sim.Binding{{Role: sim.RoleData, Channel: sim.ChannelMQTT}},
			Skills: []sim.Skill{{Name: sim.SkillObey, Listen: "{fleet}/{id}/do", Topic: "{fleet}/{id}/done", QoS: &qos}}},
	}}
}

// samples counts what a ledger records.
type samples struct {
	mu  sync.Mutex
	all []sim.Sample
}

func (r *samples) Record(s *sim.Sample) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, *s)
}
func (*samples) Count(sim.Counter, uint16, uint16, sim.Instant)      {}
func (*samples) Link(uint16, uint16, sim.Ordinal, bool, sim.Instant) {}
func (r *samples) list() []sim.Sample                                { r.mu.Lock(); defer r.mu.Unlock(); return r.all }
func (b *broker) devices(t *testing.T, f func(topic, stamp string)) {
	t.Helper()
	err := b.Subscribe("valves/+/do", 1, func(_ *mochi.Client, _ packets.Subscription, pk packets.Packet) {
		var told struct {
			Command string `json:"command"`
			Stamp   string `json:"_m"`
		}
		if err := json.Unmarshal(pk.Payload, &told); err != nil || told.Command != `say "hi"` {
			t.Errorf("%s got %s: %v", pk.TopicName, pk.Payload, err)
		}
		f(strings.TrimSuffix(pk.TopicName, "do")+"done", told.Stamp)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// operate runs an operator at the brokers until the test ends.
func operate(t *testing.T, p *sim.Plan, addresses ...string) (*Operator, *ledger.Ledger, *samples, clock) {
	t.Helper()
	rec, c := new(samples), clock{time.Now()}
	book := ledger.New(p, operatorRun, rec)
	o := &Operator{Plan: p, RunID: operatorRun, Endpoints: sim.Endpoints{sim.SchemeMQTT: addresses}, Clock: c, Book: book, Witness: book}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- o.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	select {
	case <-o.Ready():
	case <-time.After(10 * time.Second):
		t.Fatal("the operator is not ready")
	}
	return o, book, rec, c
}

func TestOperatorRoundTrips(t *testing.T) {
	b1, b2 := startBroker(t, "127.0.0.1:0"), startBroker(t, "127.0.0.1:0")
	p := commanded(60, sim.Act{
		Select: &sim.Selection{Fleet: "valves", Percent: 50}, Curve: sim.CurveEvenly, Over: sim.Duration(300 * time.Millisecond),
	})
	o, book, rec, c := operate(t, p, b1.address, b2.address)
	var mu sync.Mutex
	topics := map[string]int{}
	for _, b := range []*broker{b1, b2} {
		b.devices(t, func(topic, stamp string) {
			mu.Lock()
			topics[topic]++
			n := len(topics)
			mu.Unlock()
			switch n {
			case 3: // answers nothing
				return
			case 5: // answers twice
				b.say(t, topic, stamp)
			}
			b.say(t, topic, `{"_m":"`+stamp+`"}`)
		})
	}
	start := c.Now() + 50*time.Millisecond
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := o.Command(ctx, 1, &p.Acts[1], start); err != nil {
		t.Fatal(err)
	}
	if at := c.Now(); at < start+290*time.Millisecond {
		t.Errorf("all was sent at %v, before the last was due", at)
	}
	for book.Waiting() > 1 && ctx.Err() == nil {
		if err := o.Drain(ctx, 200*time.Millisecond, book.Waiting); err != nil {
			t.Fatal(err)
		}
	}
	got := *book.Close(c.Now(), 0).Commands
	if got.Due != 30 || got.Sent != 30 || got.Answered != 29 || got.Unanswered != 1 || got.Unsent != 0 || got.Phantom != 0 {
		t.Errorf("totals %+v", got)
	}
	if got.Duplicated != 1 {
		t.Errorf("%d answers came twice, want 1", got.Duplicated)
	}
	mu.Lock()
	if len(topics) != 30 {
		t.Errorf("%d devices were told, want 30", len(topics))
	}
	mu.Unlock()
	sent, due := 0, map[sim.Instant]bool{}
	for _, s := range rec.list() {
		if s.Unanswered {
			sent++
			due[s.Due] = true
			if s.Sent < s.Due {
				t.Errorf("sent %v before it was due", s.Due-s.Sent)
			}
		}
	}
	if sent != 30 || len(due) != 30 {
		t.Errorf("%d sent at %d instants, want 30", sent, len(due))
	}
}

// A broker that is away takes nothing: the commands are unsent, and later ones get through again.
func TestOperatorWithoutItsBroker(t *testing.T) {
	b := startBroker(t, "127.0.0.1:0")
	p := commanded(10, sim.Act{Select: &sim.Selection{Fleet: "valves", All: true}})
	p.Acts = append(p.Acts, p.Acts[1])
	o, book, _, c := operate(t, p, b.address)
	b.stop()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := o.Command(ctx, 1, &p.Acts[1], c.Now()); err != nil {
		t.Fatal(err)
	}
	for book.Waiting() > 0 && ctx.Err() == nil { // what was written to a dying connection fails a little later
		time.Sleep(time.Millisecond)
	}
	again := startBroker(t, b.address)
	again.devices(t, func(topic, stamp string) { again.say(t, topic, stamp) })
	for len(again.sessions()) < 2 && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	again.waitSubscribed(ctx, "valves/x/done")
	if err := o.Command(ctx, 2, &p.Acts[2], c.Now()); err != nil {
		t.Fatal(err)
	}
	if err := o.Drain(ctx, 5*time.Second, book.Waiting); err != nil {
		t.Fatal(err)
	}
	got := *book.Close(c.Now(), 0).Commands
	if got.Due != 20 || got.Unsent != 10 || got.Answered != 10 || got.Unanswered != 0 {
		t.Errorf("totals %+v", got)
	}
}

func (b *broker) waitSubscribed(ctx context.Context, topic string) {
	for len(b.Topics.Subscribers(topic).Subscriptions) == 0 && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
}

// When the run ends, what is not due yet is left out, and nobody waits for it.
func TestOperatorLeavesOutWhatIsNotDue(t *testing.T) {
	b := startBroker(t, "127.0.0.1:0")
	p := commanded(10, sim.Act{Select: &sim.Selection{Fleet: "valves", All: true}, Rate: 0.01})
	o, book, rec, c := operate(t, p, b.address)
	b.devices(t, func(topic, stamp string) { b.say(t, topic, stamp) })
	ctx, cancel := context.WithCancel(context.Background())
	told := make(chan error)
	go func() { told <- o.Command(ctx, 1, &p.Acts[1], c.Now()) }()
	for end := time.Now().Add(10 * time.Second); len(rec.list()) < 2 && time.Now().Before(end); { // told, and answered
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-told; err != nil {
		t.Error(err)
	}
	if got := *book.Close(c.Now(), 0).Commands; got.Due != 1 {
		t.Errorf("totals %+v", got)
	}
}

func TestOperatorWithoutEndpoint(t *testing.T) {
	p := commanded(10, sim.Act{Select: &sim.Selection{Fleet: "valves", All: true}})
	o := &Operator{Plan: p, Endpoints: sim.Endpoints{sim.SchemeMQTTS: {"127.0.0.1:1"}}}
	err := o.Command(context.Background(), 1, &p.Acts[1], 0)
	if err == nil || !strings.Contains(err.Error(), `commands cannot be sent to the devices of "valves": there is no mqtt:// endpoint`) {
		t.Errorf("Command says %v", err)
	}
}
