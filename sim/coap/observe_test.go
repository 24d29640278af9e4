package coap

import (
	"testing"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"

	"github.com/myriad-iot/myriad/sim"
)

// notice is a response with options and a payload; seq below 0 is none.
func notice(kind message.Type, code codes.Code, id uint16, tok string, seq int, tail, payload string) []byte {
	b := header(kind, code, id, tok)
	if seq >= 0 {
		n := appendNumber(nil, uint32(seq))
		b = append(append(b, 0x60|byte(len(n))), n...)
	}
	b = append(b, unhex(tail)...)
	if payload != "" {
		b = append(append(b, 0xff), payload...)
	}
	return b
}

// watcher is a conversation that has registered for "c" in virtual time; tok is the relation's.
func watcher(t *testing.T, f func(t *testing.T, c *Conversation, far *peer, tok string)) {
	t.Helper()
	session(t, sim.CoAP{Observe: []string{"c"}}, 3, func(t *testing.T, c *Conversation, far *peer) {
		tok := ""
		got := far.arrivals()
		if len(got) == 0 { // sent in Dial, before the script
			t.Fatal("no registration")
		}
		tok = got[0].tok
		if got[0].code != codes.GET || got[0].kind != message.Confirmable || c.Room() != 0 {
			t.Fatalf("registration %+v, room %d", got[0], c.Room())
		}
		far.send(notice(message.Acknowledgement, codes.Content, got[0].id, tok, 10, "", ""))
		if ev := c.Wait(time.Now().Add(time.Second)); ev.Kind != sim.EventNone || c.Room() != 1 {
			t.Fatalf("event = %+v, room %d", ev, c.Room())
		}
		far.play(func(arrival) {})
		f(t, c, far, tok)
	})
}

func inbound(t *testing.T, c *Conversation, want string) {
	t.Helper()
	ev := c.Wait(time.Now().Add(time.Second))
	if want == "" {
		if ev.Kind != sim.EventNone {
			t.Fatalf("event = %+v", ev)
		}
		return
	}
	if ev.Kind != sim.EventInbound || string(ev.Inbound.Payload) != want || string(ev.Inbound.Topic) != "c" {
		t.Fatalf("event = %+v, want %q", ev, want)
	}
}

func TestNotifications(t *testing.T) {
	watcher(t, func(t *testing.T, c *Conversation, far *peer, tok string) {
		con, non := message.Confirmable, message.NonConfirmable
		far.send(notice(con, codes.Content, 1, tok, 11, "", "one"))
		inbound(t, c, "one")
		far.send(notice(con, codes.Content, 1, tok, 11, "", "one")) // its copy
		inbound(t, c, "")
		far.send(notice(non, codes.Content, 2, tok, 13, "", "three"))
		inbound(t, c, "three")
		far.send(notice(con, codes.Content, 3, tok, 12, "", "two")) // overtaken
		inbound(t, c, "")
		far.send(notice(con, codes.Content, 4, "someone!", 14, "", "else"))
		inbound(t, c, "")
		var kinds []message.Type
		for _, a := range far.arrivals() {
			kinds = append(kinds, a.kind)
		}
		want := []message.Type{message.Acknowledgement, message.Acknowledgement, message.Acknowledgement, message.Reset}
		if len(kinds) != len(want) {
			t.Fatalf("replies %v, want %v", kinds, want)
		}
		for i := range want {
			if kinds[i] != want[i] {
				t.Errorf("reply %d is %v, want %v", i, kinds[i], want[i])
			}
		}
	})
}

func TestFreshness(t *testing.T) {
	start := time.Unix(1000, 0)
	for _, tt := range []struct {
		old, new uint32
		after    time.Duration
		want     bool
	}{
		{5, 6, 0, true}, {5, 5, 0, false}, {6, 5, 0, false},
		{0, 1<<23 - 1, 0, true}, {0, 1 << 23, 0, false}, {1 << 23, 0, 0, false}, {1<<23 + 1, 0, 0, true},
		{1<<24 - 1, 0, 0, true}, {6, 5, 128 * time.Second, false}, {6, 5, 129 * time.Second, true},
	} {
		o := observation{seq: tt.old, at: start}
		if got := o.fresh(tt.new, start.Add(tt.after)); got != tt.want {
			t.Errorf("%d after %d, %v later: %v", tt.new, tt.old, tt.after, got)
		}
	}
}

// Without a notification, the device registers again 5 to 15 seconds after Max-Age, with its token;
// what makes the server end the relation has the same effect, and a pause.
func TestRegistersAgain(t *testing.T) {
	for name, tt := range map[string]struct {
		last     []byte // tail of the notification
		code     codes.Code
		seq      int
		from, to time.Duration
	}{
		"Max-Age by default": {nil, codes.Content, 11, 65 * time.Second, 75 * time.Second},
		"Max-Age 7":          {unhex("8107"), codes.Content, 11, 12 * time.Second, 22 * time.Second},
		"4.04":               {nil, codes.NotFound, -1, 5 * time.Second, 15 * time.Second},
		"5.00":               {nil, codes.InternalServerError, -1, 5 * time.Second, 15 * time.Second},
		"no Observe":         {nil, codes.Content, -1, 5 * time.Second, 15 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			watcher(t, func(t *testing.T, c *Conversation, far *peer, tok string) {
				start := time.Now()
				far.send(append(notice(message.NonConfirmable, tt.code, 1, tok, tt.seq, "", ""), tt.last...))
				for c.Wait(start.Add(80*time.Second)).Kind != sim.EventNone {
				}
				got := far.arrivals()
				if len(got) == 0 || got[0].code != codes.GET || got[0].tok != tok {
					t.Fatalf("got %+v", got)
				}
				if d := got[0].at.Sub(start); d < tt.from || d > tt.to {
					t.Errorf("registered again after %v", d)
				}
			})
		})
	}
}

// After each failure in a row the device waits twice as long, up to 32 times; what goes on as it should
// ends the row.
func TestFailuresMakeItWaitLonger(t *testing.T) {
	now := time.Unix(1000, 0)
	const wait = 7 * time.Second
	var o observation
	row := func(from int) {
		t.Helper()
		for i := from; i < 9; i++ {
			o.asked(wait, now)
			o.lost(wait, now)
			want := now.Add(wait << min(i, 5))
			if o.due != want || o.held || !o.at.IsZero() || o.part != nil {
				t.Fatalf("failure %d: due after %v, want %v; %+v", i, o.due.Sub(now), want.Sub(now), o)
			}
			if o.wanting(o.due.Add(-1)) || !o.wanting(o.ready()) || o.ready().Before(o.due) {
				t.Fatalf("failure %d: ready after %v, due after %v", i, o.ready().Sub(now), o.due.Sub(now))
			}
			now = o.ready()
		}
	}
	row(0)
	o.granted(1, time.Minute, wait, now)
	if want := now.Add(time.Minute + wait); o.due != want || !o.held {
		t.Errorf("granted: due after %v, want %v", o.due.Sub(now), want.Sub(now))
	}
	o.lost(wait, now) // a server that grants and ends it at once has changed nothing
	if want := now.Add(wait << 5); o.due != want {
		t.Errorf("granted and ended: due after %v, want %v", o.due.Sub(now), want.Sub(now))
	}
	o.granted(1, time.Minute, wait, now)
	o.granted(2, time.Minute, wait, now)
	row(0)
}

// In any minute, from whenever it is counted, there are at most three registrations of a path.
func TestRegistrationsAreBounded(t *testing.T) {
	start := time.Unix(1000, 0)
	var r registrations
	var at []time.Time
	for now := start; now.Before(start.Add(10 * time.Minute)); now = now.Add(time.Second / 2) {
		if !now.Before(r.next()) {
			r.add(now)
			at = append(at, now)
		}
	}
	if len(at) != 3*10 || crowded(at, registrationSpan) != maxRegistrations {
		t.Errorf("%d in 10 minutes, up to %d in one", len(at), crowded(at, registrationSpan))
	}
}

func TestCloseCancels(t *testing.T) {
	watcher(t, func(t *testing.T, c *Conversation, far *peer, tok string) {
		c.Close(false)
		got := far.arrivals()
		if len(got) != 1 || got[0].code != codes.GET || got[0].tok != tok || got[0].raw[12] != 0x61 || got[0].raw[13] != 1 {
			t.Errorf("got %+v", got)
		}
	})
}

// A notification in blocks is one event; one that changes under way is none.
func TestNotificationInBlocks(t *testing.T) {
	for _, changed := range []bool{false, true} {
		watcher(t, func(t *testing.T, c *Conversation, far *peer, tok string) {
			block0, block1 := "0123456789abcdef", "tail"
			far.play(func(a arrival) {
				if a.code == codes.GET && a.tok != tok {
					tag := "4101" // ETag 1
					if changed {
						tag = "4102"
					}
					// Block2 is 19 after ETag
					far.send(notice(message.Acknowledgement, codes.Content, a.id, a.tok, -1, tag+"d10610", block1))
				}
			})
			// ETag 4, Observe 6, Block2 23
			b := append(header(message.NonConfirmable, codes.Content, 1, tok), unhex("4101210bd10408ff")...)
			far.send(append(b, block0...))
			want := block0 + block1
			if changed {
				want = ""
			}
			inbound(t, c, want)
			if c.Room() != 1 {
				t.Errorf("room %d", c.Room())
			}
		})
	}
}
