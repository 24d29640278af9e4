package probe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/coap"
	"github.com/myriad-iot/myriad/sim/mqtt"
	"github.com/myriad-iot/myriad/sim/pace"
)

// Operator sends commands to devices, over the broker or server that they are connected to, each command at its
// instant, whether or not earlier ones were answered. Over MQTT it publishes to the device's command
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

	// Dial is [Probe.Dial], for brokers and for CoAP servers.
	Dial func(context.Context, *sim.Caller) (net.Conn, error)

	once    sync.Once
	ready   chan struct{}
	answers Probe
	senders map[sim.Channel][]*sender
}

// Book keeps what was sent. Its methods are called from several goroutines and do not keep the stamp.
type Book interface {
	// Told says that a command is handed over at the instant at; ready is when that was first possible. It is
	// called before anybody can have seen the command.
	Told(command *sim.Stamp, ready, at sim.Instant)
	// Taken says that the broker or server acknowledged a command.
	Taken(command *sim.Stamp, at sim.Instant)
	// Refused says that a command that was handed over was not delivered.
	Refused(command *sim.Stamp, o sim.Outcome, at sim.Instant)
}

func (o *Operator) prepare() {
	o.once.Do(func() {
		o.ready = make(chan struct{})
		o.answers = Probe{
			Plan: o.Plan, RunID: o.RunID, Endpoints: o.Endpoints, Witness: o.Witness, Clock: o.Clock, Dial: o.Dial, answers: true,
		}
		o.senders = map[sim.Channel][]*sender{}
		for i := range o.Plan.Fleets {
			_, s := commands(&o.Plan.Fleets[i])
			if s == nil {
				continue
			}
			b := o.Plan.Fleets[i].Binding(s.Role)
			if o.senders[b.Channel] != nil {
				continue
			}
			for k, endpoint := range o.Endpoints[sim.SchemeOf(b.Channel, sim.TransportPlain)] {
				s := &sender{operator: o, endpoint: endpoint, name: fmt.Sprintf("myriad-tell-%08x-%d", o.RunID, k)}
				s.dialer = o.dialerFor(b.Channel)
				o.senders[b.Channel] = append(o.senders[b.Channel], s)
			}
		}
	})
}

// sendTimeout bounds what a broker or server that does not answer can hold up.
const sendTimeout = 2 * time.Second

func (o *Operator) dialerFor(c sim.Channel) sim.Dialer {
	b := sim.Binding{Channel: c, ConnectTimeout: sim.Duration(sendTimeout)}
	if c == sim.ChannelCoAP {
		b.CoAP = sim.CoAP{Method: "PUT", NStart: 256}
		return &coap.Dialer{Binding: b, ContentFormat: 50, DialUDP: o.Dial}
	}
	b.Version, b.Inflight, b.Security = "3.1.1", 1000, o.Plan.Target.Login.Security()
	return &mqtt.Dialer{Binding: b, DialConn: o.Dial}
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
		case <-o.answers.Ready():
		case <-ctx.Done():
		}
		reached.Wait()
		close(o.ready)
	})
	err := o.answers.Run(ctx)
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
	stream, spec := commands(f)
	if spec == nil {
		return fmt.Errorf("the devices of %q take no commands", f.Name)
	}
	b := f.Binding(spec.Role)
	senders := o.senders[b.Channel]
	if len(senders) == 0 {
		return fmt.Errorf("commands cannot be sent to the devices of %q: there is no %s:// endpoint", f.Name,
			sim.SchemeOf(b.Channel, sim.TransportPlain))
	}
	name, err := json.Marshal(a.Task.Args["name"])
	if err != nil {
		return fmt.Errorf("command %q: %w", a.Task.Args["name"], err)
	}
	act := &commanding{fleet: f, index: uint16(i), stream: stream, topic: spec.Topic, name: name, qos: spec.QoS}
	if b.Channel == sim.ChannelCoAP {
		act.qos = 1
	}
	jobs := make([][]job, len(senders))
	size := a.Select.Size(f.Count)
	key := sim.FleetKey(o.Plan.Seed, i)
	before := o.earlier(index, a.Select.Fleet)
	for n := range f.Count {
		rank, ok := a.Select.Rank(key, sim.Ordinal(n), f.Count)
		if !ok {
			continue
		}
		at := sim.Spread(sim.Ordinal(n), len(senders))
		jobs[at] = append(jobs[at], job{
			act: act, device: sim.Ordinal(n), due: start + pace.Arrival(a, rank, size),
			seq: numberOf(before, key, sim.Ordinal(n), f.Count),
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

// commands finds the stream of a fleet that Myriad sends down; nil if there is none.
func commands(f *sim.Fleet) (sim.Stream, *sim.StreamSpec) {
	for n, s := range f.Streams() {
		if s.Down {
			return sim.Stream(n), &s
		}
	}
	return 0, nil
}

// earlier are the selections of the plan's acts before one that also send to devices of the fleet.
func (o *Operator) earlier(index int, fleet string) (list []*sim.Selection) {
	for i := range index {
		if a := &o.Plan.Acts[i]; a.Commands() && a.Select.Fleet == fleet {
			list = append(list, a.Select)
		}
	}
	return list
}

// numberOf is the number of a command in its device's stream: how many selections before it hold the device.
func numberOf(before []*sim.Selection, key uint64, o sim.Ordinal, n int) (seq uint32) {
	for _, s := range before {
		if _, ok := s.Rank(key, o, n); ok {
			seq++
		}
	}
	return seq
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

// commanding is an act under way.
type commanding struct {
	fleet  *sim.Fleet
	index  uint16
	stream sim.Stream
	topic  string
	name   []byte // as JSON
	qos    byte
	left   sync.WaitGroup // jobs that are neither handed over nor dropped
}

// job is one command to send.
type job struct {
	act    *commanding
	device sim.Ordinal
	seq    uint32
	due    sim.Instant
}

func (j *job) stamp(run uint32) sim.Stamp {
	return sim.Stamp{Run: run, Stream: j.act.stream, Fleet: j.act.index, Device: j.device, Seq: j.seq, Due: j.due}
}

// payload is {"command":"reboot","_m":"<stamp>"}.
func (j *job) payload(run uint32, dst []byte) []byte {
	dst = append(append(append(dst, `{"command":`...), j.act.name...), `,"_m":"`...)
	dst = j.stamp(run).Append(dst)
	return append(dst, `"}`...)
}

func byDue(a, b job) int { return int(min(1, max(-1, a.due-b.due))) }

func sorted(list []job) []job { slices.SortStableFunc(list, byDue); return list }
