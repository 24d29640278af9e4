package coap

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"

	"github.com/myriad-iot/myriad/sim"
)

func uintOption(id message.OptionID, n uint32) message.Option {
	return message.Option{ID: id, Value: appendNumber(nil, n)}
}

// notify sends a notification to tok; a number below 0 is no Observe option.
func (f *far) notify(tok []byte, number int, payload string, more ...message.Option) {
	m := message.Message{Code: codes.Content, Token: tok, Payload: []byte(payload)}
	if number >= 0 {
		m.Options = append(m.Options, uintOption(message.Observe, uint32(number)))
	}
	m.Options = append(m.Options, more...)
	f.say(m)
}

// registers expects a registration for path and returns its token.
func (f *far) registers(t *testing.T, path string) []byte {
	t.Helper()
	m := f.expects(t, codes.GET)
	on, err := m.Options.Observe()
	if got, _ := m.Options.Path(); err != nil || on != 0 || got != path {
		t.Fatalf("not a registration for %s: %+v", path, m)
	}
	return m.Token
}

func (f *far) inbound(t *testing.T, c *Stream, topic, want string) {
	t.Helper()
	ev := c.Wait(time.Now().Add(time.Minute))
	if ev.Kind != sim.EventInbound || string(ev.Inbound.Topic) != topic || string(ev.Inbound.Payload) != want || ev.Inbound.QoS != 1 {
		t.Fatalf("event = %+v, want %q on %s", ev, want, topic)
	}
}

// quiet waits without an event, until it is woken or for a while.
func quiet(t *testing.T, c *Stream, d time.Duration) {
	t.Helper()
	if ev := c.Wait(time.Now().Add(d)); ev.Kind != sim.EventNone {
		t.Fatalf("event = %+v", ev)
	}
}

// Over TCP the order of arrival counts, not the number (RFC 8323 section 7.1); nothing is registered again
// while the connection lives (7.3); and leaving cancels in words (7.4). A command is a notification, and
// its answer a POST.
func TestStreamObserves(t *testing.T) {
	b := sim.Binding{CoAP: sim.CoAP{Observe: []string{"do/{id}", "c"}, NStart: 2, Method: "FETCH"}}
	overPipe(t, b, func(t *testing.T, c *Stream, f *far) {
		if c.Room() != 0 {
			t.Errorf("room %d before the registrations are answered", c.Room())
		}
		do, tok := f.registers(t, "/do/"), f.registers(t, "/c")
		f.notify(do, 1, "")
		f.notify(tok, 9, "")
		for c.Room() < 2 {
			quiet(t, c, time.Second)
		}
		long := strings.Repeat("0123456789", 300) // needs the large buffer, and something comes right after it
		f.out <- append(wire(message.Message{Code: codes.Content, Token: tok, Payload: []byte(long),
			Options: message.Options{uintOption(message.Observe, 7)}}), wire(message.Message{Code: codes.Content, Token: tok,
			Payload: []byte("same number"), Options: message.Options{uintOption(message.Observe, 7)}})...)
		f.inbound(t, c, "c", long)
		if o := c.Publish(report(1)); o != sim.OK { // what was told of is not touched by this
			t.Fatal(o)
		}
		f.inbound(t, c, "c", "same number")
		f.notify(tok, 0, "older number")
		f.inbound(t, c, "c", "older number")
		f.notify([]byte("stranger"), 3, "no such token")
		f.say(message.Message{Code: codes.Changed, Token: f.expects(t, codeFETCH).Token})
		f.event(t, c, sim.EventAcked, 1, sim.OK)

		f.notify(do, 2, "dim")
		f.inbound(t, c, "do/", "dim")
		if o := c.Publish(&sim.Message{Seq: 2, Topic: "done", Payload: []byte("ok"), QoS: 1, Answer: true}); o != sim.OK {
			t.Fatal(o)
		}
		f.say(message.Message{Code: codes.Changed, Token: f.expects(t, codes.POST).Token})
		f.event(t, c, sim.EventAcked, 2, sim.OK)

		quiet(t, c, 59*time.Minute) // Max-Age is a minute
		f.notify(tok, 8, "still here")
		f.inbound(t, c, "c", "still here")
		c.Close(false)
		for _, want := range [][]byte{do, tok} {
			m := f.expects(t, codes.GET)
			if off, err := m.Options.Observe(); err != nil || off != 1 || !bytes.Equal(m.Token, want) {
				t.Errorf("not a cancellation of %x: %+v", want, m)
			}
		}
		f.expects(t, codes.Release)
	})
}

// What ends a relation makes the device register again, after a pause; a peer that leaves is asked for
// nothing more.
func TestStreamRegistersAgain(t *testing.T) {
	for name, last := range map[string]message.Message{
		"no Observe": {Code: codes.Content}, "4.04": {Code: codes.NotFound}, "5.00": {Code: codes.InternalServerError},
	} {
		t.Run(name, func(t *testing.T) {
			overPipe(t, sim.Binding{CoAP: sim.CoAP{Observe: []string{"c"}}}, func(t *testing.T, c *Stream, f *far) {
				tok := f.registers(t, "/c")
				f.notify(tok, 9, "")
				quiet(t, c, time.Second)
				start := time.Now()
				last.Token = tok
				f.say(last)
				for c.Wait(start.Add(longestWait+time.Second)).Kind != sim.EventNone { // the last word is an event
				}
				if again := f.registers(t, "/c"); !bytes.Equal(again, tok) {
					t.Errorf("with token %x, and %x before", again, tok)
				}
				if d := time.Since(start); d < shortestWait {
					t.Errorf("after %v", d)
				}
				f.say(message.Message{Code: codes.NotFound, Token: tok})
				f.say(message.Message{Code: codes.Release})
				f.event(t, c, sim.EventDown, 0, sim.CoAPAborted)
			})
		})
	}
}

// A notification that comes in blocks, of BERT or smaller ones, is one event; what does not fit together
// is asked for again as a whole, and never an event.
func TestStreamNotificationInBlocks(t *testing.T) {
	body := strings.Repeat("0123456789abcdef", 3<<10/16) + "tail" // 3 KB and a bit
	for name, tt := range map[string]struct {
		szx        uint8
		cuts       []int // where each block ends
		other, bad bool  // another ETag, a payload that is no multiple
	}{
		"BERT":           {szx: bertSZX, cuts: []int{2048, len(body)}},
		"1,024 bytes":    {szx: largestSZX, cuts: []int{1024, 2048, 3072, len(body)}},
		"BERT, changed":  {szx: bertSZX, cuts: []int{2048, len(body)}, other: true},
		"BERT, crooked":  {szx: bertSZX, cuts: []int{2048, 3000, len(body)}, bad: true},
		"BERT, nothing":  {szx: bertSZX, cuts: []int{2048, 2048, len(body)}, bad: true},
		"1,024, crooked": {szx: largestSZX, cuts: []int{1024, 3072, len(body)}, bad: true},
	} {
		t.Run(name, func(t *testing.T) {
			overPipe(t, sim.Binding{CoAP: sim.CoAP{Observe: []string{"c"}}}, func(t *testing.T, c *Stream, f *far) {
				tok := f.registers(t, "/c")
				f.notify(tok, 1, "")
				quiet(t, c, time.Second)
				from, number, wants := 0, 2, tok
				for i, to := range tt.cuts {
					tag := byte(1)
					if tt.other && i > 0 {
						tag = 2
					}
					v := block{num: uint32(from >> 10), more: to < len(body), szx: tt.szx}.value()
					m := message.Message{Code: codes.Content, Token: wants, Payload: []byte(body[from:to]),
						Options: message.Options{{ID: message.ETag, Value: []byte{tag}}, uintOption(message.Block2, v)}}
					if i == 0 {
						m.Options = message.Options{m.Options[0], uintOption(message.Observe, uint32(number)), m.Options[1]}
					}
					f.say(m)
					if (tt.bad || tt.other) && i == 1 {
						quiet(t, c, shortestWait-time.Second)
						quiet(t, c, longestWait)
						f.registers(t, "/c")
						return
					}
					if to == len(body) {
						break
					}
					quiet(t, c, time.Second)
					next := f.expects(t, codes.GET)
					got, _ := next.Options.GetUint32(message.Block2)
					if want := (block{num: uint32(to >> 10), szx: tt.szx}).value(); got != want {
						t.Fatalf("asked for block %x, want %x", got, want)
					}
					from, wants = to, next.Token
				}
				f.inbound(t, c, "c", body)
			})
		})
	}
}
