package coap

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"

	"github.com/myriad-iot/myriad/sim"
)

// csm is the options of a peer that says how long messages may be, and perhaps that it knows blocks.
func csm(limit uint32, blocks bool) message.Options {
	list := message.Options{uintOption(optionMaxMessageSize, limit)}
	if blocks {
		list = append(list, message.Option{ID: optionBlockWise})
	}
	return list
}

// block1 is the next request's block.
func (f *far) block1(t *testing.T) (b block, has bool, m message.Message) {
	t.Helper()
	m = f.expects(t, codes.PUT)
	v, err := m.Options.GetBytes(message.Block1)
	if err != nil {
		return b, false, m
	}
	b, _ = parseBlock(v)
	return b, true, m
}

// answer is the response to a block.
func (f *far) answer(m message.Message, code codes.Code, b block) {
	f.say(message.Message{Code: code, Token: m.Token, Options: message.Options{uintOption(message.Block1, b.value())}})
}

// How a report of 20,000 bytes travels follows from what the peer's CSM says and what the binding wants.
func TestStreamReportInBlocks(t *testing.T) {
	payload := bytes.Repeat([]byte("0123456789"), 2000)
	for name, tt := range map[string]struct {
		csm    message.Options
		block  int // of the binding
		shrink int // the size that the peer asks for, if any
		szx    uint8
		first  int // bytes of the first block, 0: not in blocks
	}{
		"BERT, 8 KB":               {csm: csm(8192, true), szx: 7, first: 7168},
		"BERT, 64 KB":              {csm: csm(65536, true), first: 0},
		"BERT, just one block":     {csm: csm(1153, true), szx: 7, first: 1024},
		"BERT, no room for one":    {csm: csm(1000, true), szx: 5, first: 512},
		"no Max-Message-Size":      {csm: message.Options{{ID: optionBlockWise}}, szx: 6, first: 1024},
		"no Block-Wise-Transfer":   {csm: csm(8192, false), szx: 6, first: 1024},
		"nothing is known":         {szx: 6, first: 1024},
		"small blocks are wanted":  {csm: csm(65536, true), block: 256, szx: 4, first: 256},
		"and do not fit":           {csm: csm(100, true), block: 256, szx: 2, first: 64},
		"the peer shrinks BERT":    {csm: csm(8192, true), shrink: 512, szx: 7, first: 7168},
		"the peer shrinks smaller": {shrink: 64, szx: 6, first: 1024},
	} {
		t.Run(name, func(t *testing.T) {
			b := sim.Binding{CoAP: sim.CoAP{Method: "PUT", BlockSize: tt.block}}
			overPipeTo(t, b, tt.csm, func(t *testing.T, c *Stream, f *far) {
				if o := c.Publish(&sim.Message{Seq: 4, Topic: "t", Payload: payload, QoS: 1}); o != sim.OK {
					t.Fatal(o)
				}
				var whole []byte
				for first := true; ; first = false {
					b, has, m := f.block1(t)
					if first && (has != (tt.first > 0) || has && (b.szx != tt.szx || len(m.Payload) != tt.first)) {
						t.Errorf("the first block is %+v (%v) of %d bytes", b, has, len(m.Payload))
					}
					if has && b.offset() != len(whole) || has && !b.takes(len(m.Payload)) || len(wire(m)) > int(c.limit) {
						t.Fatalf("block %+v of %d bytes after %d", b, len(m.Payload), len(whole))
					}
					if size, err := m.Options.GetUint32(message.Size1); has && first && (err != nil || int(size) != len(payload)) {
						t.Errorf("Size1 %d, %v", size, err)
					}
					whole = append(whole, m.Payload...)
					code := codes.Continue
					if !b.more {
						code = codes.Changed
					}
					if tt.shrink > 0 {
						b.szx = szxOf(tt.shrink)
					}
					f.answer(m, code, b)
					if !b.more {
						break
					}
					quietly(t, c)
				}
				f.event(t, c, sim.EventAcked, 4, sim.OK)
				if !bytes.Equal(whole, payload) || c.Room() != 1 {
					t.Errorf("%d bytes arrived, room %d", len(whole), c.Room())
				}
			})
		})
	}
}

// quietly lets the conversation handle what has come.
func quietly(t *testing.T, c *Stream) { t.Helper(); quiet(t, c, time.Second) }

func TestStreamTransfersThatFail(t *testing.T) {
	for name, tt := range map[string]struct {
		reply func(f *far, m message.Message, b block)
		want  sim.Outcome
	}{
		"4.08":          {func(f *far, m message.Message, b block) { f.answer(m, codes.RequestEntityIncomplete, b) }, sim.CoAPIncomplete},
		"4.13":          {func(f *far, m message.Message, b block) { f.answer(m, codes.RequestEntityTooLarge, b) }, sim.CoAPTooLarge},
		"4.13, no end":  {func(f *far, m message.Message, b block) { b.szx = 0; f.answer(m, codes.RequestEntityTooLarge, b) }, sim.CoAPTooLarge},
		"another block": {func(f *far, m message.Message, b block) { b.num = maxNum; f.answer(m, codes.Continue, b) }, sim.CoAPIncomplete},
		"no block":      {func(f *far, m message.Message, b block) { f.say(message.Message{Code: codes.Continue, Token: m.Token}) }, sim.CoAPIncomplete},
		"4.02, no blocks": {func(f *far, m message.Message, b block) {
			f.say(message.Message{Code: codes.BadOption, Token: m.Token})
		}, sim.CoAPClientError},
		"nothing": {func(*far, message.Message, block) {}, sim.CoAPNoResponse},
		"an unknown critical option": {func(f *far, m message.Message, b block) {
			f.say(message.Message{Code: codes.Changed, Token: m.Token, Options: message.Options{{ID: 9}}})
		}, sim.CoAPNoResponse},
		"a block of 4 bytes": {func(f *far, m message.Message, b block) {
			f.say(message.Message{Code: codes.Continue, Token: m.Token, Options: message.Options{{ID: message.Block1, Value: []byte{1, 2, 3, 4}}}})
		}, sim.CoAPIncomplete},
		"Release": {func(f *far, m message.Message, b block) {
			f.say(message.Message{Code: codeRelease})
			f.answer(m, codes.Continue, b)
		}, sim.CoAPAborted},
		"less and less": {func(f *far, m message.Message, b block) {
			f.say(message.Message{Code: codeCSM, Options: csm(500, true)})
			f.answer(m, codes.Continue, b)
		}, sim.CoAPTooLarge},
	} {
		for _, qos := range []byte{1, 0} {
			t.Run(fmt.Sprintf("%s, QoS %d", name, qos), func(t *testing.T) {
				b := sim.Binding{CoAP: sim.CoAP{Method: "PUT"}}
				overPipeTo(t, b, csm(8192, true), func(t *testing.T, c *Stream, f *far) {
					if o := c.Publish(&sim.Message{Seq: 4, Topic: "t", Payload: make([]byte, 20000), QoS: qos}); o != sim.OK {
						t.Fatal(o)
					}
					go func() {
						for m := range f.in {
							if v, err := m.Options.GetUint32(message.Block1); err == nil {
								tt.reply(f, m, block{num: v >> 4, more: v&8 != 0, szx: uint8(v & 7)})
							}
						}
					}()
					deadline := time.Now().Add(30 * time.Minute)
					ev := c.Wait(deadline)
					for ; ev.Kind == sim.EventNone && time.Now().Before(deadline); ev = c.Wait(deadline) {
					}
					switch {
					case qos == 1 && (ev.Kind != sim.EventFailed || ev.Outcome != tt.want || ev.Seq != 4):
						t.Errorf("event = %+v, want %v", ev, tt.want)
					case qos == 0 && ev.Kind != sim.EventNone && ev.Kind != sim.EventDown:
						t.Errorf("event = %+v", ev)
					case c.busy() != 0:
						t.Error("the slot is not free")
					}
				})
			})
		}
	}
}

// Tokens above 8 bytes are for peers that say so (RFC 8974 section 2.2.1).
func TestStreamTokenSizes(t *testing.T) {
	for _, size := range []int{1, 7, 8, 9, 12, 13, 268, 269, 1024} {
		b := sim.Binding{CoAP: sim.CoAP{TokenSize: size, Observe: []string{"c"}}}
		options := append(csm(8192, true), uintOption(optionTokenLength, uint32(max(size, 9))))
		overPipeTo(t, b, options, func(t *testing.T, c *Stream, f *far) {
			tok := f.registers(t, "/c")
			if len(tok) != size {
				t.Errorf("a token of %d bytes, want %d", len(tok), size)
			}
			long := func(tok []byte, payload string) { // the codec has no such tokens
				p := c.encode(&message.Message{Code: codes.Content, Token: tok, Payload: []byte(payload),
					Options: message.Options{uintOption(message.Observe, 1)}})
				f.out <- bytes.Clone(*p)
			}
			long(tok, "first")
			f.inbound(t, c, "c", "first")
			if o := c.Publish(report(1)); o != sim.OK {
				t.Fatal(o)
			}
			tok[0] ^= 1
			long(tok, "of someone else")
			tok[0] ^= 1
			long(f.expects(t, codes.POST).Token, "")
			f.event(t, c, sim.EventAcked, 1, sim.OK)
			long(tok, "second")
			f.inbound(t, c, "c", "second")
		})
	}
}

func TestStreamPeersWithoutLongTokens(t *testing.T) {
	for name, options := range map[string]message.Options{
		"nothing said": nil, "8": {uintOption(optionTokenLength, 0)}, "too few": {uintOption(optionTokenLength, 19)},
	} {
		t.Run(name, func(t *testing.T) {
			near, end := pipeTo(t, options)
			defer func() { _ = end.Close() }()
			d := &StreamDialer{Binding: sim.Binding{CoAP: sim.CoAP{TokenSize: 20}}, DialTCP: near}
			if _, _, o := d.Dial(t.Context(), new(sim.Caller)); o != sim.CoAPClientError {
				t.Errorf("dial: %v", o)
			}
		})
	}
}
