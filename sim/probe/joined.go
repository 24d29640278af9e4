package probe

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/mqtt"
)

// Joined returns nil if the brokers at these addresses, of mqtt://, are one cluster: a message of QoS 0 that is published
// at any of them reaches subscribers at all of them. It tries until ctx ends, which must have a deadline. The login is that
// of p.
func Joined(ctx context.Context, p *sim.Plan, brokers []string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	dial, err := dialer(p, sim.SchemeMQTT)
	if err != nil {
		return err
	}
	r := &round{name: rand.Text(), brokers: brokers, missing: len(brokers) * len(brokers), heard: make(map[[2]int]bool), all: make(chan struct{})}
	errs := make([]error, 2*len(brokers))
	var wg sync.WaitGroup
	for i := range brokers {
		up := make(chan struct{})
		wg.Go(func() {
			if errs[2*i] = r.subscriber(i, dial, p.Target.Login, func() { close(up) }).Run(ctx); errs[2*i] != nil {
				cancel()
			}
		})
		wg.Go(func() {
			select {
			case <-up:
			case <-ctx.Done():
				return
			}
			if errs[2*i+1] = r.publish(ctx, i, dial, p.Target.Login); errs[2*i+1] != nil {
				cancel()
			}
		})
	}
	select {
	case <-r.all:
	case <-ctx.Done():
	}
	cancel()
	wg.Wait()
	if r.done() {
		return nil
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return r.silence()
}

// round is one attempt: a message from each broker to each.
type round struct {
	name    string
	brokers []string

	mu      sync.Mutex
	heard   map[[2]int]bool // from, to
	missing int
	all     chan struct{} // closed when nothing is missing
}

func (r *round) topic(from string) string { return "myriad/joined/" + r.name + "/" + from }

func (r *round) subscriber(to int, dial dialling, login sim.Login, up func()) *mqtt.Subscriber {
	var once sync.Once
	s := &mqtt.Subscriber{
		Endpoint: r.brokers[to], ClientID: fmt.Sprintf("myriad-join-%s-%d", r.name[:8], to), Login: login, Filters: []string{r.topic("+")},
		OnUp: func(bool) { once.Do(up) },
		OnMessage: func(topic, _ []byte, _ time.Time, _, _ bool) {
			from, err := strconv.Atoi(strings.TrimPrefix(string(topic), r.topic("")))
			if err == nil {
				r.hear(from, to)
			}
		},
	}
	s.DialConn = dialAs(dial, s.ClientID, 0)
	return s
}

// publish sends at a broker, again and again: a message of QoS 0 may be dropped, and another node may not know yet who subscribes.
func (r *round) publish(ctx context.Context, from int, dial dialling, login sim.Login) error {
	d := mqtt.Dialer{Binding: sim.Binding{ConnectTimeout: remaining(ctx), Security: login.Security()}, DialConn: dial}
	c, facts, outcome := d.Dial(ctx, &sim.Caller{ID: fmt.Sprintf("myriad-join-%s-p%d", r.name[:8], from), Fleet: noFleet, Endpoint: r.brokers[from]})
	if outcome != sim.OK {
		return advise(ctx, sim.ChannelMQTT, r.brokers[from], outcome)
	}
	defer c.Close(false)
	defer context.AfterFunc(ctx, facts.Interrupter.Interrupt)()
	m := &sim.Message{Topic: r.topic(strconv.Itoa(from)), Payload: []byte(r.name)}
	for again := publishAgain; ctx.Err() == nil; again *= 2 {
		if outcome := publish(c, m, again); outcome != sim.OK && ctx.Err() == nil {
			return fmt.Errorf("a publish at %s failed: %s", r.brokers[from], outcome.Class())
		}
	}
	return nil
}

func (r *round) hear(from, to int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	way := [2]int{from, to}
	if from < 0 || from >= len(r.brokers) || r.heard[way] {
		return
	}
	r.heard[way] = true
	if r.missing--; r.missing == 0 {
		close(r.all)
	}
}

func (r *round) done() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.missing == 0
}

// silence says which way no message came.
func (r *round) silence() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for from := range r.brokers {
		for to := range r.brokers {
			if !r.heard[[2]int{from, to}] {
				return fmt.Errorf("a message published at %s did not reach a subscriber at %s: they are not one cluster", r.brokers[from], r.brokers[to])
			}
		}
	}
	return nil
}
