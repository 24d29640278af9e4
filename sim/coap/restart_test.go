package coap

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"

	"github.com/myriad-iot/myriad/sim"
)

func blockOf(m message.Message, b block, payload []byte) message.Message {
	m.Options = append(slices.Clone(m.Options), uintOption(message.Block2, b.value()))
	m.Payload = payload
	return m
}

// A server that restarts forgets who observed it and counts from the beginning. A device finds that out by
// itself, registers at most three times in the minute after, and hears what comes then.
func TestD2_1ServerRestarts(t *testing.T) {
	const down, up, end = 5 * time.Minute, 5*time.Minute + 20*time.Second, 10 * time.Minute
	for name, tt := range map[string]struct {
		age     int
		refuses int // registrations after the restart, until the resource is there
		every   time.Duration
		most    int           // registrations in the minute after
		within  time.Duration // after the server is up, for what it notifies of then; 0: nothing
	}{
		"Max-Age 1":     {1, 0, time.Second, 1, 30 * time.Second},
		"60 s":          {-1, 0, 10 * time.Second, 1, 90 * time.Second},
		"not there yet": {1, 2, time.Second, 3, 90 * time.Second},
		"a quiet one":   {1, 0, time.Hour, 3, 0},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			number, held := uint32(5000), false
			after := 0
			var restarted time.Time
			q := &quirky{say: func(int) []message.Message {
				switch since := time.Since(start); {
				case since >= down && since < up:
					return nil
				case since >= up:
					if after++; after <= tt.refuses {
						return refuses(codes.NotFound, -1)(0)
					}
				}
				held = true
				return []message.Message{content(number, tt.age, "now")}
			}}
			var told []time.Time
			overDatagrams(t, sim.Binding{CoAP: sim.CoAP{Observe: []string{"c"}, NStart: 2}}, q, false, func(c talker) {
				q.mu.Lock()
				start = time.Now()
				q.mu.Unlock()
				restarted = start.Add(up)
				notify := func() {
					q.mu.Lock()
					defer q.mu.Unlock()
					number++
					if held {
						m := as(message.NonConfirmable, content(number, tt.age, fmt.Sprint(number)))
						m.Token = q.token
						q.out(m)
					}
				}
				stop := make(chan bool)
				done := make(chan bool)
				go func() {
					defer close(done)
					tick := time.NewTicker(tt.every)
					defer tick.Stop()
					for {
						select {
						case <-tick.C:
							notify()
						case <-stop:
							return
						}
					}
				}()
				time.AfterFunc(down, func() {
					q.mu.Lock()
					held, number = false, 0
					q.mu.Unlock()
				})
				for time.Since(start) < end {
					if ev := c.Wait(start.Add(end)); ev.Kind == sim.EventInbound {
						told = append(told, time.Now())
					}
				}
				close(stop)
				<-done
			})
			since := slices.DeleteFunc(slices.Clone(q.registrations), func(at time.Time) bool { return at.Before(restarted) })
			in := slices.DeleteFunc(slices.Clone(since), func(at time.Time) bool { return at.After(restarted.Add(time.Minute)) })
			if len(in) > tt.most {
				t.Errorf("%d registrations in the minute after the restart", len(in))
			}
			heard := slices.DeleteFunc(told, func(at time.Time) bool { return at.Before(restarted) })
			if tt.within > 0 && (len(heard) == 0 || heard[0].Sub(restarted) > tt.within) {
				t.Errorf("heard of %d notifications after the restart, want some within %v", len(heard), tt.within)
			}
		})
	}
}

// What a device was told already is not told again when it registers again, however the server says it.
func TestD2_1StateIsToldOnce(t *testing.T) {
	tag := func(m message.Message, v byte) message.Message {
		m.Options = append(message.Options{{ID: message.ETag, Value: []byte{v}}}, m.Options...)
		return m
	}
	whole := string(make([]byte, 16)) + "end"
	for name, tt := range map[string]struct {
		again message.Message // to each registration but the first
		first message.Message
		want  []string
	}{
		"2.05, the same ETag": {tag(content(5, 1, "state"), 1), tag(content(5, 1, "state"), 1), []string{"state"}},
		"2.05, another ETag":  {tag(content(5, 1, "other"), 2), tag(content(5, 1, "state"), 1), []string{"state", "other"}},
		"2.03":                {tag(message.Message{Type: message.Acknowledgement, Code: codes.Valid, Options: content(5, 1, "").Options}, 1), tag(content(5, 1, "state"), 1), []string{"state"}},
		"in blocks, the same ETag": {tag(blockOf(content(5, 1, ""), block{more: true}, make([]byte, 16)), 1),
			tag(blockOf(content(5, 1, ""), block{more: true}, make([]byte, 16)), 1), []string{whole}},
	} {
		for over, dial := range transports {
			t.Run(name+"/"+over, func(t *testing.T) {
				q := &quirky{
					say: func(n int) []message.Message {
						if n == 0 {
							return []message.Message{tt.first}
						}
						return []message.Message{tt.again}
					},
					block: func(num uint32) []message.Message {
						m := tag(message.Message{Type: message.Acknowledgement, Code: codes.Content}, 1)
						return []message.Message{blockOf(m, block{num: num}, []byte("end"))}
					},
				}
				var told []string
				dial(t, sim.Binding{CoAP: sim.CoAP{Observe: []string{"c"}}}, q, func(c talker) {
					time.AfterFunc(time.Minute, func() { // over TCP nothing else makes it register again
						q.mu.Lock()
						defer q.mu.Unlock()
						q.out(message.Message{Type: message.NonConfirmable, Code: codes.NotFound, Token: q.token})
					})
					_, told = reportsFor(c, 10*time.Minute, time.Second)
				})
				if len(q.registrations) < 2 || !slices.Equal(told, tt.want) {
					t.Errorf("told %q by %d registrations, want %q", told, len(q.registrations), tt.want)
				}
			})
		}
	}
}

// Fetches cannot make a device mute: a peer that has always more blocks, or notifies anew while they travel,
// takes neither the message ids that reports need nor their turn, also if only one request may be open.
func TestD2_1EndlessBlocks(t *testing.T) {
	const span = 10 * time.Minute
	part := func(num uint32) message.Message {
		m := message.Message{Type: message.Acknowledgement, Code: codes.Content}
		return blockOf(m, block{num: num, more: true}, bytes.Repeat([]byte{'x'}, 16))
	}
	first := func(n int) []message.Message {
		return []message.Message{blockOf(content(uint32(n), 1, ""), block{more: true}, make([]byte, 16))}
	}
	number := uint32(100)
	more := func(num uint32) []message.Message { return []message.Message{part(num)} }
	for name, tt := range map[string]struct {
		block func(num uint32) []message.Message
		slow  time.Duration
	}{
		"always more":         {more, 0},
		"always more, slowly": {more, 300 * time.Millisecond},
		"always new": {func(num uint32) []message.Message {
			number++
			fresh := as(message.NonConfirmable, blockOf(content(number, 1, ""), block{more: true}, make([]byte, 16)))
			return []message.Message{part(num), fresh}
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			q := &quirky{say: first, block: tt.block, slow: tt.slow}
			overDatagrams(t, sim.Binding{CoAP: sim.CoAP{Observe: []string{"c"}}}, q, false, func(c talker) {
				acked, _ := reportsFor(c, span, time.Second)
				if want := int(span/time.Second) - 1; acked < want { // the last one may be in flight
					t.Errorf("%d reports acknowledged, want %d", acked, want)
				}
				if n := c.(*Conversation).ids.used; n > 1<<16 {
					t.Errorf("%d message ids spent", n)
				}
			})
			if n := crowded(q.fetches, 247*time.Second); n > 2*maxOwn || n == 0 {
				t.Errorf("%d fetches in an EXCHANGE_LIFETIME", n)
			}
		})
	}
}

// Peers that do something else each time do no better.
func TestD2_1RandomPeers(t *testing.T) {
	choices := []func(n int) []message.Message{
		always(content(5, 0, "s")), always(content(5, 1, "s")), always(), refuses(codes.NotFound, -1), refuses(codes.ServiceUnavailable, 3),
		always(message.Message{Type: message.Reset}),
		always(as(message.NonConfirmable, content(7, 0, "n"))),
		always(content(9, 0, ""), message.Message{Type: message.NonConfirmable, Code: codes.Forbidden}),
		always(blockOf(content(3, 0, ""), block{more: true}, make([]byte, 16))),
	}
	for seed := range uint64(60) {
		draw := rand.New(rand.NewPCG(seed, 1))
		q := &quirky{say: func(n int) []message.Message { return choices[draw.IntN(len(choices))](n) }}
		b := sim.Binding{CoAP: sim.CoAP{Observe: []string{"c"}, NStart: 2, AckTimeout: sim.Duration(100 * time.Millisecond)}}
		overDatagrams(t, b, q, false, func(c talker) {
			if acked, _ := reportsFor(c, 10*time.Minute, time.Second); acked < 500 { // 5.03 makes it pause
				t.Errorf("seed %d: %d reports acknowledged", seed, acked)
			}
		})
		if a, b := crowded(q.registrations, time.Minute), crowded(q.registrations, shortestWait); a > 3 || b > 1 {
			t.Errorf("seed %d: %d registrations in a minute, %d in %v", seed, a, b, shortestWait)
		}
	}
}
