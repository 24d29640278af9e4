package coap

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"

	"github.com/myriad-iot/myriad/sim"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// A message that does not concern the exchange in flight is replied to as RFC 7252 sections 3, 4
// and 5 say, and the exchange goes on as if nothing had happened.
func TestStrangeDatagrams(t *testing.T) {
	token8 := "0102030405060708"
	tests := []struct {
		name string
		in   string // hex
		want string // hex of the reply, "" for silence
	}{
		{"empty datagram", "", ""},
		{"one byte", "40", ""},
		{"three bytes", "400012", ""},
		{"version 0", "00001234", ""},
		{"version 2 CON", "80001234", ""},
		{"version 3 CON", "c0001234", ""},
		{"ping", "40001234", "70001234"},
		{"CON, TKL 9", "49451234010203040506070809", "70001234"},
		{"CON, TKL 15", "4f451234", "70001234"},
		{"CON, token cut", "4445123401", "70001234"},
		{"CON, empty with a token", "4100123401", "70001234"},
		{"CON, empty with bytes", "40001234ff01", "70001234"},
		{"CON, option cut", "4045123463", "70001234"},
		{"CON, option nibble 15", "40451234f0", "70001234"},
		{"CON, extended length cut", "404512340e01", "70001234"},
		{"CON, marker without payload", "40451234ff", "70001234"},
		{"CON, option and marker without payload", "40451234b161ff", "70001234"},
		{"CON, reserved class 1", "40211234", "70001234"},
		{"CON, reserved class 6", "40c11234", "70001234"},
		{"CON, reserved class 7", "40e11234", "70001234"},
		{"CON response, no such token", "48451234" + token8, "70001234"},
		{"CON response without a token", "40451234", "70001234"},
		{"NON, TKL 9", "59451234010203040506070809", ""},
		{"NON, empty", "50001234", ""},
		{"NON response, no such token", "58451234" + token8, ""},
		{"NON, reserved class", "50e11234", ""},
		{"NON request", "5001123a", ""},
		{"ACK, unknown id", "60001234", ""},
		{"ACK with a request", "60011234", ""},
		{"ACK, TKL 9", "6945123401", ""},
		{"RST, unknown id", "70001234", ""},
		{"RST with a code", "70451234", ""},
		{"GET", "42011234beef", "62841234beef"},
		{"GET /a", "41011234aab161", "61841234aa"},
		{"DELETE", "40041234", "60841234"},
		{"FETCH", "40051234", "60851234"},
		{"unknown method", "401f1234", "60851234"},
		{"GET, unknown critical option 9", "4001123490", "60821234"},
		{"GET, unknown elective option 10", "40011234a0", "60841234"},
		{"GET, Proxy-Uri", "40011234d11661", "60a51234"},
		{"CON response with 40 options", "40451234" + strings.Repeat("a0", 40), "70001234"},
		{"GET with 30 options", "40011234" + strings.Repeat("00", 30), "60841234"},
		{"GET with an option of 1,500 bytes", "40011234be04cf" + strings.Repeat("61", 1500), "60841234"},
		{"CON with an option of 65,804 bytes, cut", "40011234beffff" + strings.Repeat("61", 1500), "70001234"},
		{"CON with an option number above 65,535", "40011234e0ffff", "70001234"},
		{"GET whose last option byte looks like a marker", "40011234b1ff", "60841234"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			session(t, sim.CoAP{}, 1, func(t *testing.T, c *Conversation, far *peer) {
				start := time.Now()
				publish(t, c, report(0))
				far.send(unhex(tt.in))
				if ev := c.Wait(start.Add(time.Second)); ev.Kind != sim.EventNone {
					t.Fatalf("event = %+v", ev)
				}
				got := far.arrivals()[1:]
				switch {
				case tt.want == "" && len(got) > 0:
					t.Errorf("replied %x, want silence", got[0].raw)
				case tt.want != "" && (len(got) != 1 || !bytes.Equal(got[0].raw, unhex(tt.want))):
					t.Errorf("replied %v, want %s", got, tt.want)
				}
				ev := expect(t, c, sim.EventFailed, 0, sim.CoAPTimeout, 5)
				if want := 31 * firstTimeout(1, 1, 2*time.Second, 1.5); ev.At.Sub(start) != want {
					t.Errorf("gave up at %v, want %v", ev.At.Sub(start), want)
				}
			})
		})
	}
}

// Answers that come close, and are none: the repetitions go on.
func TestAlmostAnswers(t *testing.T) {
	const piggy, con, non = message.Acknowledgement, message.Confirmable, message.NonConfirmable
	const changed = codes.Changed
	other := func(tok string) string { return string(append([]byte{tok[0] ^ 1}, tok[1:]...)) }
	unknownCritical := func(b []byte) []byte { return append(b, 0x91, 0) } // option 9
	tests := []struct {
		name  string
		reply func(a arrival) []byte
		reset bool // the device refuses it
	}{
		{"piggybacked, other token", func(a arrival) []byte { return header(piggy, changed, a.id, other(a.tok)) }, false},
		{"piggybacked, shorter token", func(a arrival) []byte { return header(piggy, changed, a.id, a.tok[:7]) }, false},
		{"piggybacked, no token", func(a arrival) []byte { return header(piggy, changed, a.id, "") }, false},
		{"piggybacked, other id", func(a arrival) []byte { return header(piggy, changed, a.id+1, a.tok) }, false},
		{"piggybacked request", func(a arrival) []byte { return header(piggy, codes.GET, a.id, a.tok) }, false},
		{"piggybacked, reserved class", func(a arrival) []byte { return header(piggy, 7<<5, a.id, a.tok) }, false},
		{"piggybacked, marker without payload", func(a arrival) []byte { return append(piggyback(a, changed), 0xff) }, false},
		{"piggybacked, unknown critical option", func(a arrival) []byte {
			return unknownCritical(piggyback(a, changed))
		}, false},
		{"empty ACK with a token", func(a arrival) []byte { return header(piggy, codes.Empty, a.id, a.tok) }, false},
		{"RST with a token", func(a arrival) []byte { return header(message.Reset, codes.Empty, a.id, a.tok) }, false},
		{"RST with a code", func(a arrival) []byte { return header(message.Reset, changed, a.id, "") }, false},
		{"CON, unknown critical option", func(a arrival) []byte {
			return unknownCritical(header(con, changed, 5, a.tok))
		}, true},
		{"CON, reserved class", func(a arrival) []byte { return header(con, 1<<5, 5, a.tok) }, true},
		{"CON, other token", func(a arrival) []byte { return header(con, changed, 5, other(a.tok)) }, true},
		{"NON, unknown critical option", func(a arrival) []byte {
			return unknownCritical(header(non, changed, 5, a.tok))
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			session(t, sim.CoAP{}, 1, func(t *testing.T, c *Conversation, far *peer) {
				far.play(func(a arrival) {
					if a.code == codes.POST {
						far.send(tt.reply(a))
					}
				})
				publish(t, c, report(0))
				expect(t, c, sim.EventFailed, 0, sim.CoAPTimeout, 5)
				posts, resets := 0, 0
				for _, a := range far.arrivals() {
					switch {
					case a.code == codes.POST:
						posts++
					case a.kind == message.Reset && a.id == 5:
						resets++
					default:
						t.Errorf("unexpected %+v", a)
					}
				}
				if posts != 5 || (resets == 5) != tt.reset {
					t.Errorf("%d transmissions and %d resets", posts, resets)
				}
			})
		})
	}
}

// A piggybacked response may have any option that the device knows, and elective ones that it does
// not.
func TestResponseWithOptionsAndPayload(t *testing.T) {
	for _, tail := range []string{"", "c0", "c132", "c13221ff", "a0", "c132ff21", "d1ef01ff41", "62aaff"} {
		session(t, sim.CoAP{}, 1, func(t *testing.T, c *Conversation, far *peer) {
			far.play(func(a arrival) { far.send(append(piggyback(a, codes.Changed), unhex(tail)...)) })
			publish(t, c, report(0))
			expect(t, c, sim.EventAcked, 0, sim.OK, 1)
		})
	}
}

func TestDuplicateSeparateResponses(t *testing.T) {
	session(t, sim.CoAP{}, 1, func(t *testing.T, c *Conversation, far *peer) {
		var response []byte
		far.play(func(a arrival) {
			if a.code == codes.POST && a.kind == message.Confirmable {
				response = header(message.Confirmable, codes.Changed, 500, a.tok)
				far.send(ack(a.id))
				far.send(response)
				far.send(response)
			}
		})
		publish(t, c, report(0))
		start := time.Now()
		expect(t, c, sim.EventAcked, 0, sim.OK, 1)
		replies := func(at time.Duration, want message.Type) {
			t.Helper()
			time.AfterFunc(time.Until(start.Add(at)), func() { far.send(response) })
			if ev := c.Wait(start.Add(at + time.Second)); ev.Kind != sim.EventNone {
				t.Fatalf("a duplicate made an event: %+v", ev)
			}
			got := far.arrivals()
			last := got[len(got)-1]
			if last.id != 500 || last.kind != want || last.code != codes.Empty || !last.at.Equal(start.Add(at)) {
				t.Errorf("reply to the copy at %v: %+v, want type %v", at, last, want)
			}
		}
		replies(10*time.Second, message.Acknowledgement)
		replies(246*time.Second, message.Acknowledgement)
		replies(248*time.Second, message.Reset) // past EXCHANGE_LIFETIME it is a new message
		n := 0
		for _, a := range far.arrivals() {
			if a.kind == message.Acknowledgement {
				n++
			}
		}
		if n != 4 { // the first, its copy at once, and two later ones
			t.Errorf("%d acknowledgements, want 4", n)
		}
	})
}

func TestDedupRemembersTheLastEight(t *testing.T) {
	h := new(handled)
	for id := range uint16(9) {
		h.add(id, time.Minute)
	}
	for id := range uint16(10) {
		if got, want := h.has(id, time.Second), id >= 1 && id <= 8; got != want {
			t.Errorf("has(%d) = %v, want %v", id, got, want)
		}
	}
	if h.has(8, time.Minute) {
		t.Error("an expired entry is still there")
	}
	if (*rare)(nil).has(0, 0) || new(handled).has(0, 0) {
		t.Error("an empty memory knows id 0")
	}
}

// The conversation's own retransmission is answered only once, by its id and token; late copies of
// the answer are ignored, or refused if they are confirmable.
func TestLateAnswersToAnEndedExchange(t *testing.T) {
	session(t, sim.CoAP{}, 1, func(t *testing.T, c *Conversation, far *peer) {
		publish(t, c, report(0))
		first := far.arrivals()[0]
		expect(t, c, sim.EventFailed, 0, sim.CoAPTimeout, 5)
		far.play(func(arrival) {})
		publish(t, c, report(1))
		far.send(piggyback(first, codes.Changed))
		far.send(ack(first.id))
		far.send(rst(first.id))
		far.send(header(message.NonConfirmable, codes.Changed, 1, first.tok))
		far.send(header(message.Confirmable, codes.Changed, 2, first.tok))
		if ev := c.Wait(time.Now().Add(time.Second)); ev.Kind != sim.EventNone {
			t.Fatalf("event = %+v", ev)
		}
		got := far.arrivals()
		if len(got) != 2 || got[1].kind != message.Reset || got[1].id != 2 {
			t.Fatalf("the device sent %+v", got)
		}
		far.send(piggyback(got[0], codes.Changed))
		expect(t, c, sim.EventAcked, 1, sim.OK, 1)
	})
}

// A message has 32 options at most, whether its last byte has to be looked at twice or not.
func TestDecodeManyOptions(t *testing.T) {
	for n, ok := range map[int]bool{31: true, 32: true, 33: false, 34: false} {
		ifMatch := "\x10" + strings.Repeat("\x00", n-2) // all but the last
		for _, last := range []string{"\x00", "\x00\xffx", "\x01\xff"} {
			s := new(scratch)
			b := append(header(message.NonConfirmable, codes.Content, 1, ""), ifMatch+last...)
			if got := s.decode(copy(s.in[:], b)); got != ok || ok && len(s.m.Options) != n {
				t.Errorf("%d options, the last %x: %v, %d", n, last, got, len(s.m.Options))
			}
		}
	}
}
