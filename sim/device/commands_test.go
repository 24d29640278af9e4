package device

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

// desk is a conversation that keeps what is published and has room for so much.
type desk struct {
	sent []sim.Message
	room int
	held bool // Publish fails
}

func (k *desk) Publish(m *sim.Message) sim.Outcome {
	if k.held {
		return sim.TCPReset
	}
	copied := *m
	copied.Payload = slices.Clone(m.Payload)
	k.sent = append(k.sent, copied)
	m.ID = uint16(len(k.sent))
	k.room--
	return sim.OK
}
func (*desk) Wait(time.Time) *sim.Event { return new(sim.Event) }
func (*desk) Close(bool)                {}
func (k *desk) Room() int               { return k.room }

// obedient is a connected device that takes commands, without a goroutine.
func obedient(t *testing.T, qos byte) (*Device, *desk, *tape) {
	f := testFleet(3)
	f.Skills = append(f.Skills, sim.Skill{Name: sim.SkillObey, Listen: "cmd/{id}", Topic: "done/{fleet}/{id}", QoS: &qos})
	devices, _ := workbenchOf(t, &sim.Plan{Fleets: []sim.Fleet{f}})
	d, k, tape := devices[2], &desk{room: 100}, new(tape)
	d.c.Recorder, d.c.Run, d.conv = tape, 77, k
	return d, k, tape
}

// told is a message that came, with a stamp in it.
func (d *Device) told(topic string, s sim.Stamp, at sim.Instant) {
	payload := s.Append([]byte(`{"do":"`))
	d.handle(&sim.Event{Kind: sim.EventInbound, At: d.T0.Add(at), Inbound: &sim.Inbound{Topic: []byte(topic), Payload: append(payload, '"', '}')}})
}

func TestCommands(t *testing.T) {
	d, k, tape := obedient(t, 2)
	command := sim.Stamp{Run: 77, Stream: 1, Device: 2, Seq: 5, Due: time.Second}
	d.told("cmd/meters-2", command, 3*time.Second)
	for _, other := range []sim.Stamp{
		{Run: 76, Stream: 1, Device: 2}, {Run: 77, Stream: 1, Device: 1}, // not ours
		{Run: 77, Stream: 1, Fleet: 1, Device: 2}, {Run: 77, Device: 2}, // another fleet's, our own
	} {
		d.told("cmd/meters-2", other, 3*time.Second)
	}
	own := command
	own.Stream = 2
	d.told("done/meters/meters-2", own, 3*time.Second)
	d.told("m/meters-1", sim.Stamp{Run: 77, Device: 1, Due: 2 * time.Second}, 4*time.Second)
	if len(tape.samples) != 2 || tape.samples[0].Op != sim.OpObserve || tape.samples[0].Due != time.Second || tape.samples[0].Done != 3*time.Second ||
		tape.samples[1].Op != sim.OpDelivery || tape.samples[1].Due != 2*time.Second || tape.samples[1].Done != 4*time.Second {
		t.Fatalf("%+v", tape.samples)
	}
	d.send()
	if len(k.sent) != 1 {
		t.Fatalf("%+v", k.sent)
	}
	m := k.sent[0]
	if got, ok := sim.FindStamp(m.Payload); !ok || got != own || m.Topic != "done/meters/meters-2" || m.QoS != 2 || m.Stream != 2 || m.Seq != 5 || m.Resend || !m.Answer {
		t.Errorf("%+v, %+v", m, got)
	}
	// The connection breaks after the PUBREC: only the PUBREL is due on the next one.
	d.handle(&sim.Event{Kind: sim.EventReceived, Stream: m.Stream, Seq: m.Seq, At: d.T0})
	d.down(true)
	d.conv = k
	d.send()
	if m := k.sent[1]; len(k.sent) != 2 || !m.Released || !m.Resend || m.ID != 1 {
		t.Errorf("%+v", k.sent)
	}
	d.handle(&sim.Event{Kind: sim.EventAcked, Stream: m.Stream, Seq: m.Seq, At: d.T0})
	d.down(true)
	d.conv = k
	d.send()
	if len(k.sent) != 2 || d.out.len() != 0 || tape.count(sim.CountSent) != 0 {
		t.Errorf("%d sent, the outbox has %d", len(k.sent), d.out.len())
	}
}

// Answers for which there is no room are errors, and the others wait for it.
func TestAnswersAreBounded(t *testing.T) {
	d, k, tape := obedient(t, 1)
	k.room = 3
	for seq := range uint32(maxAnswers + 5) {
		d.told("cmd/meters-2", sim.Stamp{Run: 77, Stream: 1, Device: 2, Seq: seq}, time.Second)
	}
	dropped := 0
	for _, s := range tape.samples {
		if s.Outcome == sim.AppDropped {
			dropped++
		}
	}
	if len(tape.samples) != maxAnswers+5 || dropped != 5 {
		t.Errorf("%d samples, %d dropped", len(tape.samples), dropped)
	}
	d.send()
	if len(k.sent) != 3 {
		t.Errorf("%d sent into room for 3", len(k.sent))
	}
	k.room = 100
	d.send()
	if len(k.sent) != maxAnswers {
		t.Errorf("%d sent", len(k.sent))
	}
}

// nomad is a dialer that notes who calls. Its conversations go silent.
type nomad struct {
	*world
	callers []sim.Caller
	first   sim.Outcome // of the first call
	to      string      // Server Reference
}

func (n *nomad) Dial(ctx context.Context, c *sim.Caller) (sim.Conversation, sim.Facts, sim.Outcome) {
	n.set(func() { n.callers = append(n.callers, *c) })
	if len(n.made()) == 1 && n.first != sim.OK {
		return nil, sim.Facts{Redirect: n.to, Secured: time.Now(), Opened: time.Now().Add(-time.Second)}, n.first
	}
	return n.world.Dial(ctx, c)
}

// made are the calls so far.
func (n *nomad) made() []sim.Caller {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.callers)
}

func source(o sim.Ordinal, attempt int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, byte(o + 1)}), uint16(1000+attempt))
}

func TestRebind(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := &nomad{world: newWorld()}
		f := testFleet(1)
		b := prepared(t, w.world, f, w)
		b.config.Source = source
		b.launch(all(sim.ActConnect, 0), all(newAddress, 25*time.Second))
		time.Sleep(time.Minute)
		b.check(t)
		calls := w.made()
		if len(calls) != 2 || calls[0].Source != source(0, 0) || calls[1].Source != source(0, 1) || b.tape.count(sim.CountRebind) != 1 {
			t.Errorf("%d rebound, calls %+v", b.tape.count(sim.CountRebind), calls)
		}
		if got, want := b.config.Gauges.Acted.Load(), b.config.Program.Effects(1, time.Minute); got != want || want != 2 {
			t.Errorf("%d acts, %d effects", got, want)
		}
		b.finish()
		b.balance(t)
	})
}

// A reset ends the connection abruptly, for the target too; the device counts it and calls again as its policy says. Who
// has no connection is not reset, and datagrams know no reset.
func TestReset(t *testing.T) {
	for channel, want := range map[sim.Channel]int{sim.ChannelMQTT: 1, sim.ChannelCoAP: 0} {
		bubble.Test(t, func(t *testing.T) {
			f := testFleet(1)
			f.Bindings[0].Channel = channel
			f.Bindings[0].Retry, _ = sim.RetrySpecimen("fixed-5s")
			w := newWorld()
			b := prepared(t, w, f, w)
			b.launch(all(resets, 0), all(sim.ActConnect, time.Second), all(resets, 25*time.Second))
			time.Sleep(time.Minute)
			b.check(t)
			reset := 0
			for _, s := range b.tape.samples {
				if s.Outcome == sim.TCPReset && s.Op == sim.OpConnect && s.Done == 25*time.Second {
					reset++
				}
			}
			if reset != want || b.world.closed[true] != want || b.tape.count(sim.CountAttempt) != 1+want || b.config.Gauges.Connected.Load() != 1 {
				t.Errorf("%s: %d resets, closed %v, %d calls, %d connected", channel, reset, b.world.closed, b.tape.count(sim.CountAttempt), b.config.Gauges.Connected.Load())
			}
			b.finish()
			b.balance(t)
		})
	}
}

// A redirect is followed once, at once, and only to a host that may be loaded.
func TestRedirect(t *testing.T) {
	for reference, followed := range map[string]bool{"127.0.0.9:1884": true, "localhost": true, "broker.test:99 other": true,
		"elsewhere.test:1883": false, "": false, "[::1": false} {
		bubble.Test(t, func(t *testing.T) {
			w := &nomad{world: newWorld(), first: sim.MQTTRedirected, to: reference}
			f := testFleet(1)
			f.Bindings[0].Retry, _ = sim.RetrySpecimen("fixed-5s")
			b := prepared(t, w.world, f, w)
			b.config.Endpoints = sim.Endpoints{sim.SchemeMQTT: {"broker.test:1883"}}
			b.launch(all(sim.ActConnect, 0))
			time.Sleep(time.Second)
			if calls := w.made(); (len(calls) == 2) != followed {
				t.Errorf("%q: calls %+v", reference, calls)
			}
			time.Sleep(10 * time.Second)
			if calls := w.made(); len(calls) != 2 || (calls[1].Endpoint != "broker.test:1883") != followed {
				t.Errorf("%q: calls %+v", reference, calls)
			}
			b.finish()
			peers := map[uint16]int{} // endpoints of calls: that of the redirect has no number
			for _, s := range b.tape.samples {
				if s.Op == sim.OpConnect && s.Done < 9*time.Second {
					peers[s.Endpoint]++
				}
			}
			if want := map[bool]map[uint16]int{true: {1: 1, 0: 1}, false: {1: 2}}[followed]; !maps.Equal(peers, want) {
				t.Errorf("%q: endpoints %v, want %v", reference, peers, want)
			}
			if s := b.tape.samples[1]; s.Op != sim.OpHandshake || s.Done-s.Due != time.Second {
				t.Errorf("%+v", b.tape.samples[:2])
			}
		})
	}
}
