package coap

import (
	"bytes"
	"testing"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/udp/coder"

	"github.com/myriad-iot/myriad/sim"
)

// parts takes a request apart.
func parts(a arrival) (b block, has bool, payload []byte) {
	m := message.Message{Options: make(message.Options, 0, 32)}
	if _, err := coder.DefaultCoder.Decode(a.raw, &m); err != nil {
		return b, false, nil
	}
	v, err := m.Options.GetBytes(message.Block1)
	if err != nil {
		return b, false, m.Payload
	}
	b, has = parseBlock(v)
	return b, has, m.Payload
}

func blockReply(a arrival, code codes.Code, b block) []byte {
	v := appendNumber(nil, b.value())
	return append(append(piggyback(a, code), 0xd0|byte(len(v)), 27-13), v...)
}

// A report in blocks arrives whole and is one message, whichever block is lost on the way.
func TestReportInBlocks(t *testing.T) {
	payload := bytes.Repeat([]byte("0123456789"), 10)
	for lose := -1; lose < 4; lose++ {
		for _, shrink := range []bool{false, true} {
			session(t, sim.CoAP{BlockSize: 32, Method: "iPATCH"}, 1, func(t *testing.T, c *Conversation, far *peer) {
				var whole []byte
				lost := false
				far.play(func(a arrival) {
					b, has, part := parts(a)
					if !has || a.code != codeIPATCH {
						t.Errorf("%+v has no block", a)
					}
					if int(b.num) == lose && !lost {
						lost = true
						return
					}
					if b.offset() != len(whole) {
						t.Errorf("block %+v after %d bytes", b, len(whole))
					}
					whole = append(whole, part...)
					code := codes.Changed
					if b.more {
						code = codes.Continue
					}
					if shrink {
						b.szx = 0
					}
					far.send(blockReply(a, code, b))
				})
				publish(t, c, &sim.Message{Seq: 4, Topic: "t", Payload: payload, QoS: 1})
				ev := c.Wait(time.Now().Add(time.Hour))
				if ev.Kind != sim.EventAcked || ev.Seq != 4 || !bytes.Equal(whole, payload) {
					t.Errorf("lost %d: %+v, %q", lose, ev, whole)
				}
				n := len(far.arrivals())
				if int(ev.Attempts) != n || c.Room() != 1 || !lost && n < 4 {
					t.Errorf("lost %d: %d attempts, %d arrivals, room %d", lose, ev.Attempts, n, c.Room())
				}
			})
		}
	}
}

// A transfer fails with the answer that fails it, and goes no further.
func TestTransfersThatFail(t *testing.T) {
	for name, tt := range map[string]struct {
		reply func(a arrival, b block) []byte
		want  sim.Outcome
		sent  int // datagrams
	}{
		"4.08": {func(a arrival, b block) []byte { return piggyback(a, codes.RequestEntityIncomplete) }, sim.CoAPIncomplete, 1},
		"4.13": {func(a arrival, b block) []byte { return piggyback(a, codes.RequestEntityTooLarge) }, sim.CoAPTooLarge, 1},
		"4.13, no end": {func(a arrival, b block) []byte { b.szx = 0; return blockReply(a, codes.RequestEntityTooLarge, b) },
			sim.CoAPTooLarge, 2},
		"no Block1": {func(a arrival, b block) []byte { return piggyback(a, codes.Changed) }, sim.CoAPIncomplete, 1},
		"2.31 at the end": {func(a arrival, b block) []byte { return blockReply(a, codes.Continue, b) },
			sim.CoAPIncomplete, 2},
		"another block": {func(a arrival, b block) []byte { b.num++; return blockReply(a, codes.Continue, b) },
			sim.CoAPIncomplete, 1},
		"a reset": {func(a arrival, b block) []byte { return rst(a.id) }, sim.CoAPReset, 1},
		"nothing": {func(a arrival, b block) []byte { return nil }, sim.CoAPTimeout, 5},
		"a block of SZX 7": {func(a arrival, b block) []byte { b.szx = bertSZX; return blockReply(a, codes.Continue, b) },
			sim.CoAPIncomplete, 1},
	} {
		t.Run(name, func(t *testing.T) {
			session(t, sim.CoAP{BlockSize: 64}, 1, func(t *testing.T, c *Conversation, far *peer) {
				far.play(func(a arrival) {
					if b, _, _ := parts(a); tt.reply(a, b) != nil {
						far.send(tt.reply(a, b))
					}
				})
				publish(t, c, &sim.Message{Seq: 4, Topic: "t", Payload: make([]byte, 100), QoS: 1})
				ev := c.Wait(time.Now().Add(time.Hour))
				if ev.Kind != sim.EventFailed || ev.Outcome != tt.want || ev.Seq != 4 || c.Room() != 1 {
					t.Errorf("event = %+v, want %v; room %d", ev, tt.want, c.Room())
				}
				if n := len(far.arrivals()); n != tt.sent || int(ev.Attempts) != n {
					t.Errorf("%d datagrams and %d attempts, want %d", n, ev.Attempts, tt.sent)
				}
			})
		})
	}
}

// The next try comes no sooner than the Max-Age of a 4.29 or 5.03.
func TestPause(t *testing.T) {
	for code, want := range map[codes.Code]sim.Outcome{
		codes.TooManyRequests: sim.CoAPTooMany, codes.ServiceUnavailable: sim.CoAPUnavailable,
	} {
		session(t, sim.CoAP{}, 1, func(t *testing.T, c *Conversation, far *peer) {
			far.play(func(a arrival) { far.send(append(piggyback(a, code), 0xd1, 1, 40)) }) // Max-Age 40
			start := time.Now()
			publish(t, c, report(0))
			expect(t, c, sim.EventFailed, 0, want, 1)
			if c.Room() != 0 || c.Publish(report(1)) != sim.LocalOther {
				t.Error("there is room during the pause")
			}
			expect(t, c, sim.EventNone, 0, sim.OK, 0)
			if d := time.Since(start); d != 40*time.Second || c.Room() != 1 {
				t.Errorf("room %d after %v", c.Room(), d)
			}
		})
	}
}

func TestTokenSizes(t *testing.T) {
	for _, size := range []int{1, 2, 7, 8, 9, 12, 13, 20, 268, 269, 1024} {
		d := &Dialer{Binding: sim.Binding{CoAP: sim.CoAP{TokenSize: size}}}
		if err := d.prepare(); err != nil {
			t.Fatal(err)
		}
		tok := token{1, 2, 3, 4, 5, 6, 7, 8}
		p, err := d.request(&scratch{ask: ask{code: codes.POST, target: "t", payload: []byte("x")}}, message.Confirmable, 9, tok)
		if err != nil {
			t.Fatal(err)
		}
		s := d.getScratch()
		n := copy(s.in[:], *p)
		if !s.decode(n) || !tok.is(s.m.Token, size) || len(s.m.Token) != size || string(s.m.Payload) != "x" ||
			s.m.MessageID != 9 || len(s.m.Options) != 2 {
			t.Errorf("%d bytes: %x became %+v", size, *p, s.m)
		}
	}
	d := &Dialer{Binding: sim.Binding{CoAP: sim.CoAP{TokenSize: 1025}}}
	if _, _, o := d.Dial(t.Context(), &sim.Caller{}); o != sim.LocalOther {
		t.Errorf("a token of 1,025 bytes: %v", o)
	}
}
