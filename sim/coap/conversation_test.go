package coap

import (
	"bytes"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/udp/coder"

	"github.com/myriad-iot/myriad/sim"
)

func TestInterrupt(t *testing.T) {
	session(t, sim.CoAP{}, 1, func(t *testing.T, c *Conversation, far *peer) {
		start := time.Now()
		c.Interrupt()
		c.Interrupt()
		expect(t, c, sim.EventNone, 0, sim.OK, 0)
		if took := time.Since(start); took != 0 {
			t.Errorf("an interrupt before Wait took %v", took)
		}
		time.AfterFunc(time.Minute, c.Interrupt)
		expect(t, c, sim.EventNone, 0, sim.OK, 0)
		if took := time.Since(start); took != time.Minute {
			t.Errorf("an interrupt during Wait took %v", took)
		}
		if ev := c.Wait(start.Add(2 * time.Minute)); ev.Kind != sim.EventNone || time.Since(start) != 2*time.Minute {
			t.Errorf("the third Wait ended after %v with %+v", time.Since(start), ev)
		}
		c.Close(true)
		c.Interrupt()
		if ev := c.Wait(time.Time{}); ev.Kind != sim.EventDown {
			t.Errorf("event after Close = %+v", ev)
		}
	})
}

func TestInterruptsDoNotMoveRepetitions(t *testing.T) {
	const key = 9
	session(t, sim.CoAP{}, key, func(t *testing.T, c *Conversation, far *peer) {
		start := time.Now()
		publish(t, c, report(0))
		var stop atomic.Bool
		var again func()
		again = func() {
			c.Interrupt()
			if !stop.Load() {
				time.AfterFunc(777*time.Millisecond, again)
			}
		}
		again()
		waits := 0
		for {
			ev := c.Wait(time.Time{})
			if waits++; ev.Kind == sim.EventFailed {
				break
			}
		}
		stop.Store(true)
		t0 := firstTimeout(key, 1, 2*time.Second, 1.5)
		if want := int(31*t0/(777*time.Millisecond)) + 2; waits != want {
			t.Errorf("%d waits, want %d", waits, want)
		}
		for n, a := range far.arrivals() {
			if want := t0 * (1<<n - 1); a.at.Sub(start) != want {
				t.Errorf("transmission %d at %v, want %v", n, a.at.Sub(start), want)
			}
		}
		time.Sleep(time.Second) // lets the last AfterFunc run before the pipe closes
	})
}

func TestPastDeadlineReturnsAtOnce(t *testing.T) {
	session(t, sim.CoAP{}, 1, func(t *testing.T, c *Conversation, _ *peer) {
		start := time.Now()
		if ev := c.Wait(start.Add(-time.Second)); ev.Kind != sim.EventNone || !time.Now().Equal(start) {
			t.Errorf("event = %+v after %v", ev, time.Since(start))
		}
	})
}

// What the wire carries, decoded by the library.
func TestRequestOnTheWire(t *testing.T) {
	tests := []struct {
		topic, path string
		queries     []string
	}{
		{"t/dev-7", "/t/dev-7", nil},
		{"/t/dev-7", "/t/dev-7", nil},
		{"t", "/t", nil},
		{"a//b", "/a//b", nil},
		{"a/", "/a/", nil},
		{"t?id=7&lt=300", "/t", []string{"id=7", "lt=300"}},
		{"?x", "", []string{"x"}},
		{"a/b?c/d?e", "/a/b", []string{"c/d?e"}},
		{"", "", nil},
		{strings.Repeat("x", 255), "/" + strings.Repeat("x", 255), nil},
		{strings.Repeat("s/", 14) + "s?a&b&c", "/" + strings.Repeat("s/", 14) + "s", []string{"a", "b", "c"}},
	}
	for _, format := range []MediaType{0, message.AppOctets, message.AppJSON, message.AppSenmlCbor, message.AppLwm2mTLV} {
		for _, tt := range tests {
			d := &Dialer{ContentFormat: format}
			d.prepare()
			for _, payload := range []string{"", "21.5", strings.Repeat("x", 2000)} {
				a := &ask{code: codes.POST, target: tt.topic, payload: []byte(payload)}
				p, err := d.request(&scratch{ask: *a}, message.Confirmable, 0xfffe, token{1, 2, 3, 4, 5, 6, 7, 8})
				if err != nil {
					t.Fatalf("request %q: %v", tt.topic, err)
				}
				got := message.Message{Options: make(message.Options, 0, 32)}
				if _, err := coder.DefaultCoder.Decode(*p, &got); err != nil {
					t.Fatalf("decode %q: %v", tt.topic, err)
				}
				path, _ := got.Options.Path()
				queries, _ := got.Options.Queries()
				f, err := got.Options.ContentFormat()
				if path != tt.path || strings.Join(queries, "&") != strings.Join(tt.queries, "&") {
					t.Errorf("%q became path %q, queries %q", tt.topic, path, queries)
				}
				if (err == nil) != (payload != "") || payload != "" && f != format {
					t.Errorf("%q: content format %v, %v, want %v", tt.topic, f, err, format)
				}
				if got.Code != codes.POST || got.Type != message.Confirmable || got.MessageID != 0xfffe ||
					string(got.Token) != "\x01\x02\x03\x04\x05\x06\x07\x08" || string(got.Payload) != payload {
					t.Errorf("%q became %v", tt.topic, &got)
				}
				again := make([]byte, len(*p))
				if n, err := coder.DefaultCoder.Encode(got, again); err != nil || !bytes.Equal(again[:n], *p) {
					t.Errorf("%q became %x, the codec says %x, %v", tt.topic, *p, again, err)
				}
				d.putPacket(p)
			}
		}
	}
}

// Options are written as the codec writes them.
func TestAppendOption(t *testing.T) {
	for _, delta := range []uint{0, 1, 12, 13, 14, 255, 268, 269, 270, 65_000} {
		for _, size := range []int{0, 1, 12, 13, 14, 255, 268, 269, 270, 1000} {
			value := bytes.Repeat([]byte{7}, size)
			want := make([]byte, 2000)
			n, err := message.Option{ID: message.OptionID(delta), Value: value}.Marshal(want, 0)
			if got := appendOption([]byte("x"), delta, value); err != nil || string(got) != "x"+string(want[:n]) {
				t.Errorf("delta %d, %d bytes: %x, want %x, %v", delta, size, got[:6], want[:6], err)
			}
			m := &message.Message{Payload: value, Options: message.Options{{ID: 1}, {ID: message.OptionID(1 + delta), Value: value}}}
			if n, got := contentSize(m), appendContent(nil, m); n != len(got) {
				t.Errorf("delta %d, %d bytes: reckoned %d, appended %d", delta, size, n, len(got))
			}
		}
	}
}

func TestPathsThatDoNotFit(t *testing.T) {
	for _, topic := range []string{strings.Repeat("x", 256), "t?" + strings.Repeat("x", 256), strings.Repeat("s/", 40)} {
		session(t, sim.CoAP{}, 1, func(t *testing.T, c *Conversation, _ *peer) {
			if o := c.Publish(&sim.Message{Topic: topic, Payload: []byte("1"), QoS: 1}); o != sim.LocalOther {
				t.Errorf("publish to %d bytes: %v", len(topic), o)
			}
			if ev := c.Wait(time.Time{}); ev.Kind != sim.EventDown || ev.Outcome != sim.LocalOther {
				t.Errorf("event = %+v", ev)
			}
		})
	}
}
