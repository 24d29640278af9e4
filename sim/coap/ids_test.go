package coap

import (
	"testing"
	"time"

	"github.com/plgd-dev/go-coap/v3/message/codes"

	"github.com/myriad-iot/myriad/sim"
)

// No message id is used twice within EXCHANGE_LIFETIME, whatever the rate; and at a rate below
// seven eighths of 65,536 per lifetime nobody ever waits.
func TestMessageIDsAreNotReused(t *testing.T) {
	const lifetime = 247 * time.Second
	rates := map[string]struct {
		every time.Duration
		waits bool
	}{
		"as fast as it goes":  {0, true},
		"20,000 a second":     {50 * time.Microsecond, true},
		"300 a second":        {time.Second / 300, true},
		"7/8 of the sequence": {lifetime / (blockSize * 7), false},
		"one a second":        {time.Second, false},
	}
	for name, rate := range rates {
		t.Run(name, func(t *testing.T) {
			last := map[uint16]time.Duration{}
			i := newIDs(42, 0)
			now, waits := time.Duration(0), 0
			for range 4 << 16 {
				if at := i.freeAt(lifetime); at > now {
					now = at
					waits++
				}
				id := i.take(now)
				if before, ok := last[id]; ok && now-before < lifetime {
					t.Fatalf("id %d reused after %v", id, now-before)
				}
				last[id] = now
				now += rate.every
			}
			if (waits > 0) != rate.waits || len(last) != 1<<16 {
				t.Errorf("%d waits, %d ids", waits, len(last))
			}
		})
	}
}

func TestAttemptsStartApart(t *testing.T) {
	closest := 1 << 16
	for a := range 100 {
		for b := range a {
			d := int(int16(newIDs(7, a).first - newIDs(7, b).first))
			closest = min(closest, max(d, -d))
		}
	}
	if closest < 250 { // 655 is the best that any choice could do; random ones come within some ten
		t.Errorf("two of 100 attempts start %d ids apart", closest)
	}
}

func TestTokensAreNotReused(t *testing.T) {
	seen := map[token]bool{}
	for attempt := range 50 {
		i := newIDs(7, attempt)
		for range 1000 {
			tok, _ := i.draw(tokenSize)
			if seen[tok] {
				t.Fatalf("token %x used twice", tok)
			}
			seen[tok] = true
		}
	}
}

func TestIdentifiersFollowFromTheSeed(t *testing.T) {
	trace := func(seed uint64, attempt int) (out []any) {
		i := newIDs(sim.DeviceKey(seed, 0, 3), attempt)
		for range 20 {
			tok, draw := i.draw(tokenSize)
			out = append(out, i.take(0), tok, draw)
		}
		return out
	}
	equal := func(a, b []any) bool {
		for i := range a {
			if a[i] != b[i] {
				return false
			}
		}
		return true
	}
	if !equal(trace(1, 0), trace(1, 0)) {
		t.Error("the same seed gave two sequences")
	}
	if equal(trace(1, 0), trace(2, 0)) || equal(trace(1, 0), trace(1, 1)) {
		t.Error("two seeds, or two attempts, gave the same sequence")
	}
}

func TestMessageIDWraps(t *testing.T) {
	session(t, sim.CoAP{}, 1, func(t *testing.T, c *Conversation, far *peer) {
		c.ids.first = uint16(-c.ids.used - 2) // the next three ids are fffe, ffff, 0
		far.play(func(a arrival) { far.send(piggyback(a, codes.Changed)) })
		for seq := range uint32(3) {
			publish(t, c, report(seq))
			expect(t, c, sim.EventAcked, seq, sim.OK, 1)
		}
		got := far.arrivals()
		if got[0].id != 0xfffe || got[1].id != 0xffff || got[2].id != 0 {
			t.Errorf("ids %x, %x, %x", got[0].id, got[1].id, got[2].id)
		}
	})
}

func TestNoRoomWithoutMessageIDs(t *testing.T) {
	session(t, sim.CoAP{}, 1, func(t *testing.T, c *Conversation, far *peer) {
		far.play(func(a arrival) { far.send(piggyback(a, codes.Changed)) })
		start := time.Now()
		time.Sleep(10 * time.Second)
		for c.ids.used < 1<<16 {
			c.ids.take(time.Since(c.opened))
		}
		if c.Room() != 0 {
			t.Fatalf("room = %d with all ids spent", c.Room())
		}
		for _, qos := range []byte{0, 1} {
			m := report(0)
			m.QoS = qos
			if o := c.Publish(m); o != sim.LocalOther {
				t.Errorf("publish without an id: %v", o)
			}
		}
		// The first block was spent when the sleep ended, like all others.
		if ev := c.Wait(time.Time{}); ev.Kind != sim.EventNone || time.Since(start) != 257*time.Second {
			t.Fatalf("event = %+v after %v, want an id at 257s", ev, time.Since(start))
		}
		if c.Room() != 1 {
			t.Fatalf("room = %d", c.Room())
		}
		publish(t, c, report(1))
		expect(t, c, sim.EventAcked, 1, sim.OK, 1)
	})
}
