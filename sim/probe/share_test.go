package probe

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/peers"
	"github.com/myriad-iot/myriad/sim/mqtt"
)

func TestD1_6_ConnectionsByRate(t *testing.T) {
	rate := func(perSecond int, factor float64) *sim.Plan {
		f := mqttFleet("m", "m/{id}")
		f.Count, f.Skills[0].Every = perSecond, sim.Duration(time.Second)
		silent := mqttFleet("rooms", "r/{id}")
		silent.Count, silent.Skills[0].Every, silent.Bindings[0].Channel = 1e6, sim.Duration(time.Second), sim.ChannelCoAP
		return &sim.Plan{
			Fleets: []sim.Fleet{f, silent}, Acts: []sim.Act{{Kind: sim.ActLoad, Load: []sim.Ramp{{From: 1, To: factor}, {From: factor, To: 1}}}},
		}
	}
	for _, c := range []struct {
		perSecond int
		factor    float64
		endpoints int
		want      int
	}{{10, 1, 1, 1}, {500, 1, 1, 1}, {501, 1, 1, 2}, {400, 3, 1, 3}, {400, 0.1, 1, 1}, {10_000, 1, 1, 20}, {10_000, 1, 4, 5}, {1e6, 1, 1, 32}} {
		if got := Connections(rate(c.perSecond, c.factor), c.endpoints); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

// Each topic of each device is in one share of its endpoint, and no other topic is in any.
func TestD1_6_SharesAreWhole(t *testing.T) {
	m, n, other := mqttFleet("m", "m/{id}"), mqttFleet("n", "x/{id}/t"), mqttFleet("o", "all/of/{fleet}")
	m.Count, n.Count = 3000, 50
	m.Skills = append(m.Skills, sim.Skill{Name: sim.SkillHealth, Topic: "h/{id}"}, sim.Skill{Name: sim.SkillHealth, Topic: "m/{id}"})
	p := &sim.Plan{Fleets: []sim.Fleet{m, n, other}}
	for _, endpoints := range []int{1, 3} {
		for _, connections := range []int{1, 2, 7} {
			for index := range endpoints {
				list := shares(p, (*sim.StreamSpec).Telemetry, index, endpoints, connections)
				if len(list) != connections {
					t.Fatalf("%d shares for %d connections", len(list), connections)
				}
				if connections == 1 {
					continue // filters
				}
				where := make(map[string]int)
				for k := range list {
					for _, topic := range list[k] {
						if _, twice := where[topic]; twice || strings.ContainsAny(topic, "+#") {
							t.Fatalf("%q again, or a filter", topic)
						}
						where[topic] = k
					}
				}
				want := map[string]bool{"all/of/o": true}
				for i := range p.Fleets {
					for o := range sim.Ordinal(p.Fleets[i].Count) {
						if sim.Spread(o, endpoints) != index {
							continue
						}
						at := -1 // a device's topics are together
						for _, s := range p.Fleets[i].Streams() {
							topic := p.Fleets[i].Expand(s.Topic, o)
							want[topic] = true
							if k, ok := where[topic]; !ok || at >= 0 && k != at {
								t.Fatalf("%q: in share %d, %v; others of the device in %d", topic, k, ok, at)
							} else {
								at = k
							}
						}
					}
				}
				if len(want) != len(where) {
					t.Errorf("%d topics, want %d", len(where), len(want))
				}
			}
		}
	}
}

// Over several connections every message is seen once, also when the broker has been away.
func TestD1_6_SeveralConnections(t *testing.T) {
	b := startBroker(t, "127.0.0.1:0")
	r, w := newRemote(b.address)
	r.Connections = 4
	stop := start(t, r)
	if n := len(b.sessions()); n != 4 {
		t.Errorf("%d sessions", n)
	}
	const each = 20
	round := func(first int) {
		for i := range each {
			for o := range 10 {
				_, text := stamped(0, o, first+i)
				b.say(t, r.Plan.Fleets[0].Expand("m/{id}", sim.Ordinal(o)), text)
				_, text = stamped(2, o, first+i)
				b.say(t, r.Plan.Fleets[2].Expand("n/{id}/t", sim.Ordinal(o)), text)
			}
		}
	}
	round(0)
	eventually(t, "all came", func() bool { return w.len() == 20*each })
	b.stop()
	b = startBroker(t, b.address)
	eventually(t, "it is back", func() bool {
		n := 0
		for _, o := range r.Outages() {
			if !o.Lasts && o.Endpoint == b.address && o.Index == 0 && o.Of == 1 {
				n++
			}
		}
		return n == 4
	})
	round(each)
	eventually(t, "all came again", func() bool { return w.len() == 40*each })
	stop()
	if w.sightings() != 40*each {
		t.Errorf("%d sightings of %d messages", w.sightings(), 40*each)
	}
	eventually(t, "its sessions are gone", func() bool { return len(b.sessions()) == 0 })
}

// onlyFilters is a broker that grants no more than one subscription.
type onlyFilters struct{ mochi.HookBase }

func (onlyFilters) ID() string { return "onlyFilters" }
func (onlyFilters) Provides(b byte) bool {
	return b == mochi.OnConnectAuthenticate || b == mochi.OnACLCheck
}
func (onlyFilters) OnConnectAuthenticate(*mochi.Client, packets.Packet) bool { return true }
func (onlyFilters) OnACLCheck(_ *mochi.Client, topic string, write bool) bool {
	return write || strings.Contains(topic, "+")
}

func TestD1_6_FewSubscriptionsWhereTheBrokerWantsIt(t *testing.T) {
	p, _ := newProbe(peers.MochiWith(t, new(onlyFilters), nil))
	p.Connections = 4
	start(t, p)()
}

// A broker that leaves Nagle's algorithm on, as Mosquitto does, holds a message back until the one before is
// acknowledged. The subscriber's kernel must not wait with that.
func TestD1_6_AcknowledgedAtOnce(t *testing.T) {
	p, w := newProbe(peers.Mosquitto(t, "allow_anonymous true"))
	start(t, p)
	d := mqtt.Dialer{Binding: sim.Binding{ConnectTimeout: sim.Duration(10 * time.Second)}}
	c, _, outcome := d.Dial(context.Background(), &sim.Caller{ID: "sender", Endpoint: p.Endpoints[sim.SchemeMQTT][0]})
	if outcome != sim.OK {
		t.Fatal(outcome)
	}
	defer c.Close(false)
	var gaps []time.Duration
	for i := range 30 {
		// What the subscriber answers makes its kernel wait for answers to carry the acknowledgements.
		answered, text := stamped(0, 2, i)
		if o := c.Publish(&sim.Message{Seq: uint32(i), Topic: "m/m-2", Payload: []byte(text), QoS: 1}); o != sim.OK {
			t.Fatal(o)
		}
		c.Wait(time.Now().Add(time.Second))
		eventually(t, "it came", func() bool { return w.count(answered) == 1 })
		time.Sleep(15 * time.Millisecond)
		var pair [2]sim.Stamp
		for k := range pair {
			var text string
			pair[k], text = stamped(0, 1, 2*i+k)
			if o := c.Publish(&sim.Message{Topic: "m/m-1", Payload: []byte(text)}); o != sim.OK {
				t.Fatal(o)
			}
			time.Sleep(3 * time.Millisecond)
		}
		eventually(t, "both came", func() bool { return w.count(pair[0]) == 1 && w.count(pair[1]) == 1 })
		w.mu.Lock()
		gaps = append(gaps, w.at[pair[1]]-w.at[pair[0]])
		w.mu.Unlock()
	}
	slices.Sort(gaps)
	if gaps[len(gaps)/2] > 20*time.Millisecond {
		t.Errorf("half of the second messages came %v after the first, or later; they were sent 3 ms apart", gaps[len(gaps)/2])
	}
}

func TestD1_6_Counters(t *testing.T) {
	c := &Counters{Clock: clock{time.Now()}, told: make([]counter, 2), more: make(chan struct{})}
	c.told[0].drops.Endpoint = "a:1"
	c.take(0, droppedTopic, []byte("40"), true)
	c.take(0, uptimeTopic, []byte("12 seconds"), false)
	c.take(1, uptimeTopic, []byte("12"), false) // it does not count
	for _, n := range []string{"40", "43", "3 lost", "43", "2", "5"} {
		c.take(0, droppedTopic, []byte(n), false)
	}
	list := c.Drops()
	if len(list) != 1 || list[0].Endpoint != "a:1" || list[0].Before != 40 || list[0].During != 3+5 || len(list[0].Points) != 3 {
		t.Errorf("%+v", list)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	go func() {
		time.Sleep(20 * time.Millisecond)
		c.take(0, uptimeTopic, []byte("22 seconds"), false)
		c.take(0, droppedTopic, []byte("6"), false) // what it tells comes in any order
	}()
	if c.Fresh(ctx); ctx.Err() != nil || c.Drops()[0].During != 9 {
		t.Errorf("%v, %+v", ctx.Err(), c.Drops())
	}
}

// Every number that a broker tells of itself is passed on by its name, and what else it tells is not.
func TestCountersTellFigures(t *testing.T) {
	got := ""
	c := &Counters{}
	if f := c.filters(); len(f) != 3 {
		t.Errorf("nobody wants to know, and it subscribes to %q", f)
	}
	c.figure("$SYS/broker/clients/connected", []byte("1"))
	c.Figure = func(name string, v float64) { got += fmt.Sprintf("%s=%v ", name, v) }
	for _, m := range [][2]string{
		{"$SYS/broker/clients/connected", "12"}, {"$SYS/broker/load/bytes/sent/1min", "0.25"}, {"$SYS/broker/uptime", "12 seconds"},
		{"$SYS/broker/version", "NaN"}, {"$SYS/other", "1"}, {"$SYS/broker/empty", ""},
	} {
		c.figure(m[0], []byte(m[1]))
	}
	if got != "clients/connected=12 load/bytes/sent/1min=0.25 " || !slices.Equal(c.filters(), []string{"$SYS/broker/#"}) {
		t.Errorf("%q, filters %q", got, c.filters())
	}
}
