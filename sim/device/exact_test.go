package device

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
	"github.com/myriad-iot/myriad/sim/internal/peers"
	"github.com/myriad-iot/myriad/sim/ledger"
	"github.com/myriad-iot/myriad/sim/mqtt"
	"github.com/myriad-iot/myriad/sim/skill"
)

// cutter cuts connections at the steps of a QoS 2 exchange: a packet is refused, or lost on the wire, or
// arrives as the last one.
type cutter struct {
	mu    sync.Mutex
	r     *rand.Rand
	cuts  map[string]int // by step and manner
	total int
	limit int
}

var errCut = errors.New("cut")

var steps = map[byte]string{3: "PUBLISH", 5: "PUBREC", 6: "PUBREL", 7: "PUBCOMP"}

// decide says whether to cut at a packet and how.
func (c *cutter) decide(first byte, manners ...string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	step := steps[first>>4]
	if step == "" || c.total >= c.limit || c.r.IntN(3) > 0 {
		return ""
	}
	how := manners[c.r.IntN(len(manners))]
	c.total++
	c.cuts[step+" "+how]++
	return how
}

func (c *cutter) done() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.total >= c.limit
}

// frail is a connection that is cut.
type frail struct {
	net.Conn
	c    *cutter
	dead bool
}

// Write implements net.Conn. One call is one packet.
func (f *frail) Write(p []byte) (int, error) {
	if f.dead {
		return 0, errCut
	}
	switch f.c.decide(p[0], "refused", "lost", "arrived") {
	case "refused":
		f.dead = true
		f.Conn.Close()
		return 0, errCut
	case "lost":
		f.dead = true
		f.Conn.Close()
		return len(p), nil
	case "arrived":
		f.dead = true
		n, err := f.Conn.Write(p)
		f.Conn.Close()
		return n, err
	}
	return f.Conn.Write(p)
}

// Read implements net.Conn.
func (f *frail) Read(p []byte) (int, error) {
	if f.dead {
		return 0, errCut
	}
	n, err := f.Conn.Read(p)
	if n == 0 {
		return n, err
	}
	switch f.c.decide(p[0], "lost", "arrived") {
	case "lost":
		f.dead = true
		f.Conn.Close()
		return 0, errCut
	case "arrived":
		f.dead = true
		f.Conn.Close()
	}
	return n, err
}

// exact is a broker that keeps QoS 2 to the letter, and complains about whoever does not.
type exact struct {
	t         *testing.T
	mu        sync.Mutex
	session   map[uint16]uint32 // messages that wait for their PUBREL
	known     bool
	delivered map[uint32]int
	forgets   int // every so many connections the session is lost; 0 is never
	calls     int
}

// serve is a network connection.
func (x *exact) serve(conn net.Conn) {
	defer conn.Close()
	answers := make(chan []byte, 100) // a pipe holds nothing, and both ends may write at once
	defer close(answers)
	go func() {
		for a := range answers {
			conn.Write(a)
		}
	}()
	for {
		var head [2]byte
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			return
		}
		n := int(head[1])
		if n >= 0x80 {
			var more [1]byte
			if _, err := io.ReadFull(conn, more[:]); err != nil {
				return
			}
			n = n&0x7F | int(more[0])<<7
		}
		body := make([]byte, n)
		if _, err := io.ReadFull(conn, body); err != nil {
			return
		}
		if answer := x.take(head[0], body); answer != nil {
			answers <- answer
		}
	}
}

func (x *exact) take(first byte, body []byte) []byte {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch first >> 4 {
	case 1:
		x.calls++
		if x.forgets > 0 && x.calls%x.forgets == 0 {
			x.known = false
			clear(x.session)
		}
		answer := []byte{0x20, 2, 0, 0}
		if x.known {
			answer[2] = 1
		}
		x.known = true
		return answer
	case 3:
		topic := int(body[0])<<8 | int(body[1])
		id := uint16(body[2+topic])<<8 | uint16(body[3+topic])
		stamp, ok := sim.FindStamp(body)
		if !ok || first&6 != 4 {
			x.t.Errorf("a PUBLISH with QoS %d, stamp %v", first>>1&3, ok)
		}
		dup := first&8 != 0
		switch had, in := x.session[id]; {
		case in && (had != stamp.Seq || !dup):
			x.t.Errorf("identifier %d of message %d carries %d, DUP %v", id, had, stamp.Seq, dup)
		case !in:
			x.session[id] = stamp.Seq
			x.delivered[stamp.Seq]++
		}
		return []byte{0x50, 2, body[2+topic], body[3+topic]}
	case 6:
		delete(x.session, uint16(body[0])<<8|uint16(body[1]))
		return []byte{0x70, 2, body[0], body[1]}
	case 14:
		return nil
	}
	x.t.Errorf("unexpected packet %#x", first)
	return nil
}

// exactFleet is one device that reports with QoS 2 and does not give up.
func exactFleet(every time.Duration, inflight int) sim.Fleet {
	f := testFleet(1)
	f.Skills[0].Every = sim.Duration(every)
	f.Model.Buffer.Capacity = 100_000
	b := &f.Bindings[0]
	b.QoS, b.Session, b.Inflight = 2, sim.Duration(time.Hour), inflight
	b.Retry = sim.Retry{List: []sim.Duration{sim.Duration(time.Millisecond)}}
	return f
}

// drive lets a device report over connections that are cut until there were enough cuts, and returns
// when all that came due is acknowledged.
func drive(t *testing.T, f sim.Fleet, endpoints sim.Endpoints, c *cutter, dial func(ctx context.Context) (net.Conn, error)) (sim.Ordinal, ledger.Totals, *tape) {
	t.Helper()
	plan := &sim.Plan{Seed: 1, Fleets: []sim.Fleet{f}}
	tape := new(tape)
	book := ledger.New(plan, 1, tape)
	config := &Config{
		Shared: skill.Shared{Fleet: &plan.Fleets[0], Run: 1, T0: time.Now()}, Seed: 1, Skills: skills(t, &plan.Fleets[0]), Recorder: tape,
		Endpoints: endpoints, Program: NewProgram(), Gauges: new(Gauges),
		Dialer: &mqtt.Dialer{Binding: f.Bindings[0], DialConn: func(ctx context.Context, _ *sim.Caller) (net.Conn, error) {
			conn, err := dial(ctx)
			if err != nil {
				return nil, err
			}
			return &frail{Conn: conn, c: c}, nil
		}},
	}
	connect := all(sim.ActConnect, 0)
	config.Program.Add(&connect, 0)
	d := New(config, 0, func(sim.Stream) *ledger.Account { return book.Account(0, 0, 0) })
	running := NewGroup(t.Context())
	d.Go(running)
	for !c.done() {
		time.Sleep(10 * time.Millisecond)
	}
	config.Program.End(time.Since(config.T0))
	d.Poke()
	for config.Gauges.Backlog.Load() > 0 || config.Gauges.Ended.Load() == 0 {
		time.Sleep(10 * time.Millisecond)
	}
	config.Program.Finish()
	d.Poke()
	running.Wait()
	return 0, book.Close(time.Since(config.T0), 0).All, tape
}

// everyStep checks that each step was cut in each manner.
func everyStep(t *testing.T, c *cutter) {
	t.Helper()
	for _, at := range []string{"PUBLISH refused", "PUBLISH lost", "PUBLISH arrived", "PUBREC lost", "PUBREC arrived",
		"PUBREL refused", "PUBREL lost", "PUBREL arrived", "PUBCOMP lost", "PUBCOMP arrived"} {
		if c.cuts[at] == 0 {
			t.Errorf("never cut at %s: %v", at, c.cuts)
		}
	}
}

// A message of QoS 2 is delivered exactly once wherever the connection breaks, by a broker that keeps the
// protocol; and where it forgets the session, at least once if its PUBREC had not come, and once if it had.
func TestExactlyOnce(t *testing.T) {
	for _, forgets := range []int{0, 7} {
		for _, inflight := range []int{1, 5} {
			t.Run(fmt.Sprintf("forgets %d inflight %d", forgets, inflight), func(t *testing.T) {
				bubble.Test(t, func(t *testing.T) {
					x := &exact{t: t, session: make(map[uint16]uint32), delivered: make(map[uint32]int), forgets: forgets}
					c := &cutter{r: rand.New(rand.NewPCG(7, uint64(inflight))), cuts: make(map[string]int), limit: 10_000}
					_, totals, tape := drive(t, exactFleet(5*time.Millisecond, inflight), nil, c, func(context.Context) (net.Conn, error) {
						near, far := net.Pipe()
						go x.serve(far)
						return near, nil
					})
					everyStep(t, c)
					x.mu.Lock()
					defer x.mu.Unlock()
					twice := 0
					for seq := range uint32(totals.Due) {
						switch n := x.delivered[seq]; {
						case n == 0:
							t.Errorf("message %d was not delivered", seq)
						case n > 1:
							twice++
						}
					}
					if twice > 0 && forgets == 0 {
						t.Errorf("%d of %d messages were delivered more than once", twice, totals.Due)
					}
					if totals.Acked != totals.Due || totals.SentQoS[2] != totals.Due || totals.Resent == 0 {
						t.Errorf("%+v", totals)
					}
					ops := make(map[sim.Op]int)
					for _, s := range tape.samples {
						if ops[s.Op]++; s.Done < s.Due {
							t.Fatalf("%+v", s)
						}
					}
					if ops[sim.OpPublish] != int(totals.Due) || ops[sim.OpPubrec] == 0 || ops[sim.OpPubcomp] == 0 {
						t.Errorf("samples %v of %d messages", ops, totals.Due)
					}
					t.Logf("%d cuts, %d messages, %d sent again, %d twice", c.total, totals.Due, totals.Resent, twice)
				})
			})
		}
	}
}

// cutsOfBrokers is how many cuts a real broker has to bear; MYRIAD_CUTS makes it more.
func cutsOfBrokers() int {
	n, _ := strconv.Atoi(os.Getenv("MYRIAD_CUTS"))
	return cmp.Or(n, 500)
}

// Real brokers deliver each message exactly once to a subscriber of QoS 2 too, but for mochi 2.7.9: when it
// cannot write a PUBREC it does not pass the message on (processPublish in its server.go returns before
// publishToSubscribers), has noted it as received all the same, and answers its repetition with a PUBREC.
func TestExactlyOnceAtRealBrokers(t *testing.T) {
	for name, start := range map[string]func(testing.TB) string{"mochi": peers.Mochi, "mosquitto": mosquitto} {
		t.Run(name, func(t *testing.T) {
			endpoint := start(t)
			listener := &mqtt.Dialer{Binding: sim.Binding{MQTT: sim.MQTT{Subscribe: []sim.Subscription{{Filter: "m/+", QoS: 2}}}}}
			sub, _, outcome := listener.Dial(t.Context(), &sim.Caller{ID: "listener", Endpoint: endpoint})
			if outcome != sim.OK {
				t.Fatal(outcome)
			}
			seen := make(map[uint32]int)
			until := make(chan uint32, 1)
			var listening sync.WaitGroup
			listening.Go(func() {
				quiet := time.Now().Add(time.Hour)
				last := uint32(1<<32 - 1)
				for {
					e := sub.Wait(time.Now().Add(100 * time.Millisecond))
					switch e.Kind {
					case sim.EventInbound:
						stamp, _ := sim.FindStamp(e.Inbound.Payload)
						seen[stamp.Seq]++
						if last != 1<<32-1 {
							quiet = time.Now().Add(time.Second)
						}
					case sim.EventDown:
						t.Errorf("the listener's connection: %v", e.Outcome)
						return
					}
					select {
					case last = <-until:
						quiet = time.Now().Add(5 * time.Second)
					default:
					}
					if last != 1<<32-1 && (len(seen) == int(last) && time.Now().After(quiet.Add(-4*time.Second)) || time.Now().After(quiet)) {
						return
					}
				}
			})
			c := &cutter{r: rand.New(rand.NewPCG(11, 3)), cuts: make(map[string]int), limit: cutsOfBrokers()}
			_, totals, _ := drive(t, exactFleet(2*time.Millisecond, 5), sim.Endpoints{sim.SchemeMQTT: {endpoint}}, c,
				func(ctx context.Context) (net.Conn, error) {
					var tcp net.Dialer
					return tcp.DialContext(ctx, "tcp", endpoint)
				})
			until <- uint32(totals.Due)
			listening.Wait()
			sub.Close(false)
			if c.limit >= 10_000 { // fewer do not meet every step at every broker
				everyStep(t, c)
			}
			lost, twice := 0, 0
			for seq := range uint32(totals.Due) {
				switch n := seen[seq]; {
				case n == 0:
					lost++
				case n > 1:
					twice++
				}
			}
			t.Logf("%d cuts, %d messages, %d sent again: %d lost, %d delivered twice", c.total, totals.Due, totals.Resent, lost, twice)
			forgiven := 0
			if name == "mochi" {
				forgiven = 5 * c.cuts["PUBLISH arrived"] // what was in flight then
			}
			if lost > forgiven || twice > 0 || totals.Acked != totals.Due {
				t.Errorf("%d lost, %d delivered twice of %+v", lost, twice, totals)
			}
		})
	}
}

func mosquitto(t testing.TB) string {
	return peers.Mosquitto(t, "allow_anonymous true\npersistence false\nmax_queued_messages 0\nlog_type error")
}
