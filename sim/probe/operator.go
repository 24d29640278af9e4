package probe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/coap"
	"github.com/myriad-iot/myriad/sim/mqtt"
	"github.com/myriad-iot/myriad/sim/pace"
)

// Operator tells devices what to do, over the broker or server that they speak to, each command at its
// instant whether or not the ones before were answered. Over MQTT it publishes to the device's command
// topic and subscribes to the answers; over CoAP it puts the command to the device's path with a CON,
// and the answer is seen by the server's journal. Both go over plain endpoints, whatever the devices
// use: a device is reached at its endpoint (see [sim.Spread]). Set the fields first and do not change them.
type Operator struct {
	Plan      *sim.Plan
	RunID     uint32
	Endpoints sim.Endpoints
	Clock     sim.Clock
	Book      Book
	Witness   sim.Witness // of answers over MQTT

	once    sync.Once
	ready   chan struct{}
	ears    Probe
	senders map[sim.Channel][]*sender
}

// Book keeps what was sent. Its methods are called from several goroutines.
type Book interface {
	// Base is the number of an act's first command; those of the others follow by rank.
	Base(act int) uint32
	// Sent says that a command is handed over at at, as it could be from ready on.
	Sent(seq uint32, fleet uint16, o sim.Ordinal, due, ready, at sim.Instant)
	// Failed says that a command that was said to be sent did not get through.
	Failed(seq uint32, outcome sim.Outcome, at sim.Instant)
}

func (o *Operator) prepare() {
	o.once.Do(func() {
		o.ready = make(chan struct{})
		o.ears = Probe{
			Plan: o.Plan, RunID: o.RunID, Endpoints: o.Endpoints, Witness: o.Witness, Clock: o.Clock, answers: true,
		}
		o.senders = map[sim.Channel][]*sender{}
		for i := range o.Plan.Fleets {
			b := o.Plan.Fleets[i].Data()
			if b.Commands.Topic == "" || o.senders[b.Channel] != nil {
				continue
			}
			for k, endpoint := range o.Endpoints[sim.SchemeOf(b.Channel, sim.TransportPlain)] {
				s := &sender{operator: o, endpoint: endpoint, name: fmt.Sprintf("myriad-tell-%08x-%d", o.RunID, k)}
				s.dialer = dialerFor(b.Channel)
				o.senders[b.Channel] = append(o.senders[b.Channel], s)
			}
		}
	})
}

// sendTimeout bounds what a broker or server that does not answer can hold up.
const sendTimeout = 2 * time.Second

func dialerFor(c sim.Channel) sim.Dialer {
	b := sim.Binding{Channel: c, ConnectTimeout: sim.Duration(sendTimeout)}
	if c == sim.ChannelCoAP {
		b.CoAP = sim.CoAP{Method: "PUT", NStart: 256}
		return &coap.Dialer{Binding: b, ContentFormat: 50}
	}
	b.Version, b.Inflight = "3.1.1", 1000
	return &mqtt.Dialer{Binding: b}
}

// Ready is closed when the operator listens to answers and every endpoint was reached once.
func (o *Operator) Ready() <-chan struct{} { o.prepare(); return o.ready }

// Run works until ctx ends; then it returns nil. It returns an error if the answers cannot be
// subscribed to. It owns every goroutine of the operator and must be called once. A plan without
// commands is run with nothing to do.
func (o *Operator) Run(ctx context.Context) error {
	o.prepare()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg, reached sync.WaitGroup
	for _, list := range o.senders {
		for _, s := range list {
			reached.Add(1)
			wg.Go(func() { s.run(ctx, sync.OnceFunc(reached.Done)) })
		}
	}
	wg.Go(func() {
		select {
		case <-o.ears.Ready():
		case <-ctx.Done():
		}
		reached.Wait()
		close(o.ready)
	})
	err := o.ears.Run(ctx)
	cancel()
	wg.Wait()
	if err != nil {
		return fmt.Errorf("answers to commands: %w", err)
	}
	return nil
}

// Command sends the commands of act a, which is Plan.Acts[index] and starts at start, and returns when
// all have been handed over. When ctx ends those that are not due yet are left out: that is no error.
// It may be called while Run works, for several acts at a time.
func (o *Operator) Command(ctx context.Context, index int, a *sim.Act, start sim.Instant) error {
	o.prepare()
	i := o.Plan.FleetIndex(a.Select.Fleet)
	if i < 0 {
		return fmt.Errorf("no fleet %q", a.Select.Fleet)
	}
	f := &o.Plan.Fleets[i]
	b := f.Data()
	senders := o.senders[b.Channel]
	if b.Commands.Topic == "" || len(senders) == 0 {
		return fmt.Errorf("the devices of %q cannot be told anything: there is no %s:// endpoint", f.Name,
			sim.SchemeOf(b.Channel, sim.TransportPlain))
	}
	name, err := json.Marshal(a.Command)
	if err != nil {
		return fmt.Errorf("command %q: %w", a.Command, err)
	}
	act := &telling{fleet: f, index: uint16(i), name: name, qos: b.Commands.QoS}
	if b.Channel == sim.ChannelCoAP {
		act.qos = 1
	}
	jobs := make([][]job, len(senders))
	size := a.Select.Size(f.Count)
	key := sim.FleetKey(o.Plan.Seed, i)
	for n := range f.Count {
		rank, ok := a.Select.Rank(key, sim.Ordinal(n), f.Count)
		if !ok {
			continue
		}
		at := sim.Spread(sim.Ordinal(n), len(senders))
		jobs[at] = append(jobs[at], job{
			act: act, device: sim.Ordinal(n), seq: o.Book.Base(index) + uint32(rank), due: start + pace.Arrival(a, rank, size),
		})
		act.left.Add(1)
	}
	for k, s := range senders {
		s.queue(jobs[k])
	}
	defer context.AfterFunc(ctx, func() {
		for _, s := range senders {
			s.drop(act)
		}
	})()
	act.left.Wait()
	return nil
}

// Drain waits until waiting, the number of commands that are not answered, is 0 or no answer has come
// for idle, or until ctx ends: that is its error.
func (o *Operator) Drain(ctx context.Context, idle time.Duration, waiting func() int) error {
	o.prepare()
	least, since := waiting(), time.Now()
	for least > 0 && time.Since(since) < idle {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return errors.Join(errors.New("drain of answers"), ctx.Err())
		}
		if n := waiting(); n < least {
			least, since = n, time.Now()
		}
	}
	return nil
}

// telling is an act under way.
type telling struct {
	fleet *sim.Fleet
	index uint16
	name  []byte // as JSON
	qos   byte
	left  sync.WaitGroup // jobs that are neither handed over nor dropped
}

// job is one command to send.
type job struct {
	act    *telling
	device sim.Ordinal
	seq    uint32
	due    sim.Instant
}

// payload is {"command":"reboot","_m":"<stamp>"}.
func (j *job) payload(run uint32, dst []byte) []byte {
	dst = append(append(append(dst, `{"command":`...), j.act.name...), `,"_m":"`...)
	dst = sim.Stamp{Run: run, Fleet: j.act.index | sim.CommandBit, Device: j.device, Seq: j.seq, Due: j.due}.Append(dst)
	return append(dst, `"}`...)
}

func byDue(a, b job) int { return int(min(1, max(-1, a.due-b.due))) }

func sorted(list []job) []job { slices.SortStableFunc(list, byDue); return list }
