package device

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

// A device waits another time after each outage: else what broke a fleet once would find it together again.
func TestD5_EachOutageHasADrawOfItsOwn(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := testFleet(1)
		f.Bindings[0].Retry = sim.DefaultRetry() // the wait before the first try is between 0 and 1 s
		w := newWorld()
		w.rtt = 0
		b := start(t, w, f, 1, all(sim.ActConnect, 0))
		waits := make(map[time.Duration]bool)
		for range 4 {
			time.Sleep(time.Minute)
			w.fall()
			w.rise()
			lost, calls := time.Since(w.t0), len(w.called())
			time.Sleep(2 * time.Second)
			waits[w.called()[calls].at-lost] = true
		}
		if len(waits) != 4 {
			t.Errorf("waits %v: want four different ones", waits)
		}
		b.finish()
	})
}

// A full buffer drops its oldest message, but not one whose QoS 2 exchange has begun: its identifier would stay
// in use.
func TestD5_ABegunExchangeIsNotDropped(t *testing.T) {
	for qos, again := range map[uint8]bool{1: false, 2: true} {
		bubble.Test(t, func(t *testing.T) {
			f := testFleet(1)
			f.Bindings[0].QoS = qos
			f.Bindings[0].Retry, _ = sim.RetrySpecimen("fixed-5s")
			f.Model.Buffer.Capacity = 3
			w := newWorld()
			w.rtt = 20 * time.Second // no message is answered before the connection breaks
			w.dialing = time.Millisecond
			b := start(t, w, f, 1, all(sim.ActConnect, 0))
			time.Sleep(15 * time.Second)
			w.fall()
			begun := w.of(0, false)
			if len(begun) == 0 {
				t.Fatal("nothing was sent")
			}
			time.Sleep(2 * time.Minute) // twelve more come due
			w.rise()
			time.Sleep(30 * time.Second)
			resent := slices.ContainsFunc(w.of(0, true), func(a arrival) bool { return a.seq == begun[0].seq && a.resend })
			if resent != again {
				t.Errorf("QoS %d: the message that was under way was sent again: %v, want %v", qos, resent, again)
			}
			b.finish()
		})
	}
}

// roamer is a target whose conversations survive another source address.
type roamer struct {
	*world
	to []netip.AddrPort
}

type roaming struct {
	*talk
	w *roamer
}

func (r *roamer) Dial(ctx context.Context, c *sim.Caller) (sim.Conversation, sim.Facts, sim.Outcome) {
	conv, facts, o := r.world.Dial(ctx, c)
	if o != sim.OK {
		return nil, facts, o
	}
	r.set(func() { r.to = append(r.to, c.Source) })
	return &roaming{conv.(*talk), r}, facts, o
}

// Rebind implements [sim.Rebinder].
func (r *roaming) Rebind(to netip.AddrPort) sim.Outcome {
	r.w.set(func() { r.w.to = append(r.w.to, to) })
	return sim.OK
}

// A conversation that survives it goes on from another address each time, and no call is made.
func TestD5_ARebindIsToANewAddress(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := &roamer{world: newWorld()}
		b := prepared(t, w.world, testFleet(1), w)
		b.config.Source = source
		b.launch(all(sim.ActConnect, 0), all(newAddress, 20*time.Second), all(newAddress, 40*time.Second))
		time.Sleep(time.Minute)
		b.check(t)
		if want := []netip.AddrPort{source(0, 0), source(0, 1), source(0, 2)}; !slices.Equal(w.to, want) || len(w.called()) != 1 {
			t.Errorf("%d calls, addresses %v, want one and %v", len(w.called()), w.to, want)
		}
		b.finish()
	})
}

// circle is a target that redirects every call.
type circle struct {
	*world
	to []string
}

func (c *circle) Dial(ctx context.Context, by *sim.Caller) (sim.Conversation, sim.Facts, sim.Outcome) {
	time.Sleep(10 * time.Millisecond)
	c.set(func() { c.to = append(c.to, by.Endpoint) })
	return nil, sim.Facts{Redirect: "127.0.0.9:1884"}, sim.MQTTRedirected
}

// A redirected call is not redirected again: servers that name each other do not make a storm.
func TestD5_RedirectsMakeNoLoop(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := &circle{world: newWorld()}
		f := testFleet(1)
		f.Bindings[0].Retry, _ = sim.RetrySpecimen("fixed-5s")
		b := prepared(t, w.world, f, w)
		b.config.Endpoints = sim.Endpoints{sim.SchemeMQTT: {"broker.test:1883"}}
		b.launch(all(sim.ActConnect, 0))
		time.Sleep(12 * time.Second)
		synctest.Wait()
		want := []string{"broker.test:1883", "127.0.0.9:1884", "broker.test:1883", "127.0.0.9:1884", "broker.test:1883", "127.0.0.9:1884"}
		if !slices.Equal(w.to, want) {
			t.Errorf("%d calls in 12s, the first %q; want %q", len(w.to), w.to[:min(7, len(w.to))], want)
		}
		b.finish()
	})
}
