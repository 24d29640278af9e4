package probe

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
	"github.com/myriad-iot/myriad/sim/mqtt"
)

// What brokers publish of themselves: how many messages were dropped because of a full queue (mosquitto(8), and
// mochi's name for it), and something that changes each time, by which it is known that they have told.
const (
	droppedTopic = "$SYS/broker/publish/messages/dropped"
	mochiDropped = "$SYS/broker/messages/dropped"
	uptimeTopic  = "$SYS/broker/uptime"
	ownTopics    = "$SYS/broker/" // what the topics of all of it begin with
)

// telling is how long nothing may come until a broker has told everything.
const telling = 300 * time.Millisecond

// maxDropPoints bounds what is kept of a counter's course.
const maxDropPoints = 10_000

// Counters reads what MQTT brokers say of themselves while a run goes. Brokers that say nothing, or do not let it
// subscribe, are left out: that is no error. Set the fields first and do not change them.
type Counters struct {
	Plan      *sim.Plan
	RunID     uint32
	Endpoints sim.Endpoints
	Clock     sim.Clock

	// Figure, if it is set, hears of every number that a broker tells of itself, by what follows "$SYS/broker/" in its
	// topic. It is called from the goroutine of the broker's connection, and must not block.
	Figure func(name string, value float64)

	mu   sync.Mutex
	told []counter
	more chan struct{} // closed, and made anew, when a broker has told
}

// counter is one broker's.
type counter struct {
	known bool
	topic string // of the two, the one that it has
	last  uint64 // what it said
	base  uint64 // what it had said before it began again from 0
	drops ledger.Drops
	tick  time.Time // when it last told anything
}

// Run reads until ctx ends. It must be called once, and owns every goroutine that it starts.
func (c *Counters) Run(ctx context.Context) {
	scheme := ListenScheme(c.Endpoints)
	endpoints := c.Endpoints[scheme]
	dial, err := dialer(c.Plan, scheme)
	if err != nil || len(endpoints) == 0 {
		return // the probe says so
	}
	c.mu.Lock()
	c.told, c.more = make([]counter, len(endpoints)), make(chan struct{})
	for i, endpoint := range endpoints {
		c.told[i].drops.Endpoint = endpoint
	}
	c.mu.Unlock()
	var wg sync.WaitGroup
	for i, endpoint := range endpoints {
		s := mqtt.Subscriber{
			Endpoint: endpoint, ClientID: fmt.Sprintf("myriad-sys-%08x-%d", c.RunID, i), Login: c.Plan.Target.Login, Reconnect: true,
			Filters: c.filters(),
			OnMessage: func(topic, payload []byte, _ time.Time, _, retained bool) {
				c.take(i, string(topic), payload, retained)
				c.figure(string(topic), payload)
			},
		}
		s.DialConn = dialAs(dial, s.ClientID, i)
		wg.Go(func() { _ = s.Run(ctx) }) // what is not known makes nothing invalid
	}
	wg.Wait()
}

// filters are those of what is read: all that a broker tells only if somebody wants to know.
func (c *Counters) filters() []string {
	if c.Figure != nil {
		return []string{ownTopics + "#"}
	}
	return []string{droppedTopic, mochiDropped, uptimeTopic}
}

// figure passes a number on.
func (c *Counters) figure(topic string, payload []byte) {
	name, ok := strings.CutPrefix(topic, ownTopics)
	if c.Figure == nil || !ok {
		return
	}
	if v, err := strconv.ParseFloat(string(payload), 64); err == nil && !math.IsNaN(v) && !math.IsInf(v, 0) {
		c.Figure(name, v)
	}
}

// take notes what broker i said.
func (c *Counters) take(i int, topic string, payload []byte, retained bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &c.told[i]
	if !retained { // else it is as old as can be
		t.tick = time.Now()
		close(c.more)
		c.more = make(chan struct{})
	}
	n, err := strconv.ParseUint(string(payload), 10, 64)
	if err != nil || topic != droppedTopic && topic != mochiDropped || t.known && topic != t.topic {
		return
	}
	switch {
	case !t.known:
		t.known, t.topic, t.drops.Before = true, topic, n
	case n < t.last: // the broker has started again
		t.base += t.last
	}
	t.last = n
	sum := t.base + n - t.drops.Before
	if sum > t.drops.During && len(t.drops.Points) < maxDropPoints {
		t.drops.Points = append(t.drops.Points, ledger.DropPoint{At: c.Clock.Now(), Dropped: sum})
	}
	t.drops.During = max(t.drops.During, sum)
}

// Drops is what the brokers that count have said so far.
func (c *Counters) Drops() []ledger.Drops {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []ledger.Drops
	for i := range c.told {
		if t := &c.told[i]; t.known {
			d := t.drops
			d.Points = slices.Clone(d.Points)
			list = append(list, d)
		}
	}
	return list
}

// Fresh waits until every broker that counts has told anew, from now on, or until ctx ends.
func (c *Counters) Fresh(ctx context.Context) {
	since := time.Now()
	for {
		c.mu.Lock()
		old := slices.ContainsFunc(c.told, func(t counter) bool { return t.known && t.tick.Before(since) })
		more := c.more
		c.mu.Unlock()
		var whole <-chan time.Time
		if !old {
			whole = time.After(telling) // what it tells is several messages, in any order
		}
		select {
		case <-more:
		case <-whole:
			return
		case <-ctx.Done():
			return
		}
	}
}
