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

func intp(i int) *int { return &i }

// firstTimeout is RFC 7252 section 4.8's initial timeout for the n-th request of attempt 0,
// computed here from the draw alone.
func firstTimeout(key uint64, n uint64, ackTimeout time.Duration, factor float64) time.Duration {
	draw := sim.Draw(key, sim.SaltCoAP, n<<2|drawTimeout)
	return ackTimeout + time.Duration(draw*float64(time.Duration(float64(ackTimeout)*factor)-ackTimeout))
}

func TestRetransmissionInstantsAreRFC7252(t *testing.T) {
	params := []struct {
		name    string
		p       sim.CoAP
		ack     time.Duration
		factor  float64
		repeats int
	}{
		{"defaults", sim.CoAP{}, 2 * time.Second, 1.5, 4},
		{"eager", sim.CoAP{AckTimeout: sim.Duration(700 * time.Millisecond), RandomFactor: 1.25, MaxRetransmit: intp(2)},
			700 * time.Millisecond, 1.25, 2},
		{"no jitter", sim.CoAP{RandomFactor: 1}, 2 * time.Second, 1, 4},
		{"never repeats", sim.CoAP{MaxRetransmit: intp(0)}, 2 * time.Second, 1.5, 0},
	}
	for _, p := range params {
		for seed := range uint64(8) {
			t.Run(fmt.Sprintf("%s/seed %d", p.name, seed), func(t *testing.T) {
				key := sim.DeviceKey(seed, 0, 7)
				session(t, p.p, key, func(t *testing.T, c *Conversation, far *peer) {
					start := time.Now()
					publish(t, c, report(0))
					ev := expect(t, c, sim.EventFailed, 0, sim.CoAPTimeout, uint16(p.repeats+1))
					t0 := firstTimeout(key, 1, p.ack, p.factor) // request 0 was the ping
					if t0 < p.ack || t0 > time.Duration(float64(p.ack)*p.factor) {
						t.Fatalf("t0 = %v is outside of the RFC's range", t0)
					}
					got := far.arrivals()
					if len(got) != p.repeats+1 {
						t.Fatalf("%d transmissions, want %d", len(got), p.repeats+1)
					}
					for n, a := range got {
						if want := t0 * (1<<n - 1); a.at.Sub(start) != want {
							t.Errorf("transmission %d at %v, want %v", n, a.at.Sub(start), want)
						}
						if !bytes.Equal(a.raw, got[0].raw) {
							t.Errorf("transmission %d differs from the first", n)
						}
					}
					if want := t0 * (1<<(p.repeats+1) - 1); ev.At.Sub(start) != want {
						t.Errorf("gave up at %v, want %v", ev.At.Sub(start), want)
					}
				})
			})
		}
	}
}

// A device that comes to its repetitions late sends the late one at once and all that follow at their
// instants: the schedule does not move with our own lag.
func TestRepetitionsDoNotDriftWithOurLag(t *testing.T) {
	const key = 9
	t0 := firstTimeout(key, 1, 2*time.Second, 1.5)
	for late := range 4 { // which repetition
		session(t, sim.CoAP{}, key, func(t *testing.T, c *Conversation, far *peer) {
			start := time.Now()
			publish(t, c, report(0))
			at := t0 * (1<<(late+1) - 1)
			c.Wait(start.Add(at - time.Millisecond))
			time.Sleep(800 * time.Millisecond) // the device does something else
			lag := time.Since(start) - at
			ev := expect(t, c, sim.EventFailed, 0, sim.CoAPTimeout, 5)
			for n, a := range far.arrivals() {
				want := t0 * (1<<n - 1)
				if n == late+1 {
					want += lag
				}
				if got := a.at.Sub(start); got != want {
					t.Errorf("late with repetition %d: transmission %d at %v, want %v", late, n, got, want)
				}
			}
			if want := 31 * t0; ev.At.Sub(start) != want {
				t.Errorf("late with repetition %d: gave up at %v, want %v", late, ev.At.Sub(start), want)
			}
		})
	}
}

func TestTimeoutsSpreadOverTheWholeRange(t *testing.T) {
	tm := newTiming(&sim.CoAP{})
	low, high := time.Hour, time.Duration(0)
	for o := range sim.Ordinal(2000) {
		i := newIDs(sim.DeviceKey(1, 0, o), 0)
		_, draw := i.draw(tokenSize)
		v := tm.first(draw)
		low, high = min(low, v), max(high, v)
	}
	if low < 2*time.Second || low > 2005*time.Millisecond || high < 2995*time.Millisecond || high > 3*time.Second {
		t.Errorf("first timeouts of 2000 devices lie in [%v, %v], want all of [2s, 3s]", low, high)
	}
}

func TestDerivedParameters(t *testing.T) {
	d := newTiming(&sim.CoAP{}) // RFC 7252 section 4.8.2, figure 12
	if d.wait != 93*time.Second || d.lifetime != 247*time.Second || d.nstart != 1 || d.repeats != 4 {
		t.Errorf("defaults derive to %+v", d)
	}
	far := newTiming(&sim.CoAP{AckTimeout: sim.Duration(1000 * time.Hour), RandomFactor: 9, MaxRetransmit: intp(500)})
	if far.repeats != maxRepeats || far.wait <= 0 || far.lifetime <= 0 || far.first(0.99) <= 0 {
		t.Errorf("extreme parameters overflow: %+v", far)
	}
	odd := newTiming(&sim.CoAP{AckTimeout: -1, RandomFactor: 0.5, MaxRetransmit: intp(-1), NStart: -3})
	if odd.ackTimeout != 2*time.Second || odd.spread != 0 || odd.repeats != 0 || odd.nstart != 1 {
		t.Errorf("odd parameters derive to %+v", odd)
	}
}

func TestResponsesByClass(t *testing.T) {
	tests := []struct {
		code codes.Code
		want sim.Outcome
	}{
		{codes.Changed, sim.OK}, {codes.Created, sim.OK}, {codes.Content, sim.OK}, {2<<5 | 30, sim.OK},
		{codes.BadRequest, sim.CoAPClientError}, {codes.NotFound, sim.CoAPClientError},
		{codes.TooManyRequests, sim.CoAPTooMany}, {codes.ServiceUnavailable, sim.CoAPUnavailable},
		{codes.InternalServerError, sim.CoAPServerError}, {codes.GatewayTimeout, sim.CoAPServerError},
		{3<<5 | 1, sim.CoAPMalformed},
	}
	replies := map[string]func(a arrival, code codes.Code) [][]byte{
		"piggybacked": func(a arrival, code codes.Code) [][]byte { return [][]byte{piggyback(a, code)} },
		"separate CON": func(a arrival, code codes.Code) [][]byte {
			return [][]byte{ack(a.id), header(message.Confirmable, code, 9, a.tok)}
		},
		"separate NON": func(a arrival, code codes.Code) [][]byte {
			return [][]byte{ack(a.id), header(message.NonConfirmable, code, 9, a.tok)}
		},
		"CON without ACK": func(a arrival, code codes.Code) [][]byte {
			return [][]byte{header(message.Confirmable, code, 9, a.tok)}
		},
		"NON before ACK": func(a arrival, code codes.Code) [][]byte {
			return [][]byte{header(message.NonConfirmable, code, 9, a.tok), ack(a.id)}
		},
	}
	for name, reply := range replies {
		for _, tt := range tests {
			t.Run(fmt.Sprintf("%s/%d.%02d", name, tt.code>>5, tt.code&31), func(t *testing.T) {
				session(t, sim.CoAP{}, 1, func(t *testing.T, c *Conversation, far *peer) {
					far.play(func(a arrival) {
						if a.code != codes.POST {
							return
						}
						for _, b := range reply(a, tt.code) {
							far.send(b)
						}
					})
					publish(t, c, report(3))
					kind := sim.EventAcked
					if tt.want != sim.OK {
						kind = sim.EventFailed
					}
					expect(t, c, kind, 3, tt.want, 1)
					if c.Room() != 1 {
						t.Errorf("room = %d, want 1", c.Room())
					}
					if ev := c.Wait(time.Now().Add(200 * time.Second)); ev.Kind != sim.EventNone {
						t.Errorf("a second event: %+v", ev)
					}
				})
			})
		}
	}
}

func TestAcknowledgementAfterRepeatsCountsThem(t *testing.T) {
	for answered := 1; answered <= 5; answered++ {
		session(t, sim.CoAP{}, 11, func(t *testing.T, c *Conversation, far *peer) {
			n := 0
			far.play(func(a arrival) {
				if n++; n == answered {
					far.send(piggyback(a, codes.Changed))
				}
			})
			publish(t, c, report(0))
			expect(t, c, sim.EventAcked, 0, sim.OK, uint16(answered))
			if ev := c.Wait(time.Now().Add(200 * time.Second)); ev.Kind != sim.EventNone {
				t.Errorf("a second event: %+v", ev)
			}
			if got := len(far.arrivals()); got != answered {
				t.Errorf("%d transmissions, want %d", got, answered)
			}
		})
	}
}

func TestResetFailsAtOnce(t *testing.T) {
	session(t, sim.CoAP{}, 1, func(t *testing.T, c *Conversation, far *peer) {
		far.play(func(a arrival) { far.send(rst(a.id)) })
		start := time.Now()
		publish(t, c, report(0))
		if ev := expect(t, c, sim.EventFailed, 0, sim.CoAPReset, 1); !ev.At.Equal(start) {
			t.Errorf("reset reported %v later", ev.At.Sub(start))
		}
		far.play(func(a arrival) { far.send(ack(a.id)); far.send(rst(a.id)) })
		publish(t, c, report(1))
		expect(t, c, sim.EventFailed, 1, sim.CoAPReset, 1)
	})
}

func TestEmptyAckStopsRepeatsAndTheWaitIsBounded(t *testing.T) {
	session(t, sim.CoAP{}, 1, func(t *testing.T, c *Conversation, far *peer) {
		far.play(func(a arrival) {
			far.send(ack(a.id))
			time.AfterFunc(time.Minute, func() { far.send(ack(a.id)) }) // prolongs nothing
		})
		start := time.Now()
		publish(t, c, report(0))
		if c.only[0].packet == nil {
			t.Error("nothing is kept for a repetition")
		}
		c.Wait(start.Add(time.Second))
		if c.only[0].packet != nil {
			t.Error("a packet is kept, and shared with whoever borrows it next")
		}
		ev := expect(t, c, sim.EventFailed, 0, sim.CoAPNoResponse, 1)
		if ev.At.Sub(start) != 93*time.Second {
			t.Errorf("gave up after %v, want MAX_TRANSMIT_WAIT, 93s", ev.At.Sub(start))
		}
		if got := len(far.arrivals()); got != 1 {
			t.Errorf("%d transmissions, want 1", got)
		}
	})
}

// The first copy of a request was acknowledged, and a second one, sent before that arrived, is
// answered in place.
func TestPiggybackedResponseAfterAnEmptyAck(t *testing.T) {
	session(t, sim.CoAP{}, 1, func(t *testing.T, c *Conversation, far *peer) {
		far.play(func(a arrival) { far.send(ack(a.id)); far.send(piggyback(a, codes.Changed)) })
		publish(t, c, report(0))
		expect(t, c, sim.EventAcked, 0, sim.OK, 1)
	})
}

func TestLateSeparateResponse(t *testing.T) {
	session(t, sim.CoAP{}, 1, func(t *testing.T, c *Conversation, far *peer) {
		far.play(func(a arrival) {
			if a.code != codes.POST {
				return
			}
			far.send(ack(a.id))
			time.AfterFunc(92*time.Second, func() { far.send(header(message.Confirmable, codes.Changed, 77, a.tok)) })
		})
		publish(t, c, report(0))
		expect(t, c, sim.EventAcked, 0, sim.OK, 1)
		got := far.arrivals()
		if len(got) != 2 || got[1].kind != message.Acknowledgement || got[1].id != 77 || got[1].code != codes.Empty {
			t.Errorf("the device sent %+v, want the request and an acknowledgement of 77", got)
		}
	})
}

func TestNSTART(t *testing.T) {
	session(t, sim.CoAP{NStart: 3}, 1, func(t *testing.T, c *Conversation, far *peer) {
		for seq := range uint32(3) {
			if c.Room() != 3-int(seq) {
				t.Fatalf("room = %d before message %d", c.Room(), seq)
			}
			publish(t, c, report(seq))
		}
		if c.Room() != 0 {
			t.Fatalf("room = %d, want 0", c.Room())
		}
		if o := c.Publish(report(3)); o != sim.LocalOther {
			t.Errorf("publish without room: %v", o)
		}
		m := report(4)
		m.QoS = 0
		publish(t, c, m) // a NON needs no slot
		got := far.arrivals()
		if len(got) != 4 || got[3].kind != message.NonConfirmable {
			t.Fatalf("arrivals = %+v", got)
		}
		ids, toks := map[uint16]bool{}, map[string]bool{}
		for _, a := range got {
			ids[a.id], toks[a.tok] = true, true
		}
		if len(ids) != 4 || len(toks) != 4 {
			t.Errorf("ids %v and tokens %v are not distinct", ids, toks)
		}
		far.send(piggyback(got[1], codes.Changed))
		expect(t, c, sim.EventAcked, 1, sim.OK, 1)
		far.send(piggyback(got[2], codes.Changed))
		far.send(piggyback(got[0], codes.Changed))
		expect(t, c, sim.EventAcked, 2, sim.OK, 1)
		expect(t, c, sim.EventAcked, 0, sim.OK, 1)
		if c.Room() != 3 {
			t.Errorf("room = %d, want 3", c.Room())
		}
	})
}

func TestSeveralExchangesKeepTheirOwnTimers(t *testing.T) {
	const key = 5
	session(t, sim.CoAP{NStart: 2}, key, func(t *testing.T, c *Conversation, far *peer) {
		start := time.Now()
		publish(t, c, report(0))
		ev := c.Wait(start.Add(1500 * time.Millisecond))
		if ev.Kind != sim.EventNone || time.Since(start) != 1500*time.Millisecond {
			t.Fatalf("event = %+v after %v", ev, time.Since(start))
		}
		publish(t, c, report(1))
		a := expect(t, c, sim.EventFailed, 0, sim.CoAPTimeout, 5)
		b := expect(t, c, sim.EventFailed, 1, sim.CoAPTimeout, 5)
		if want := 31 * firstTimeout(key, 1, 2*time.Second, 1.5); a.At.Sub(start) != want {
			t.Errorf("message 0 ended at %v, want %v", a.At.Sub(start), want)
		}
		want := 1500*time.Millisecond + 31*firstTimeout(key, 2, 2*time.Second, 1.5)
		if b.At.Sub(start) != want {
			t.Errorf("message 1 ended at %v, want %v", b.At.Sub(start), want)
		}
		if got := len(far.arrivals()); got != 10 {
			t.Errorf("%d transmissions, want 10", got)
		}
	})
}

func TestNonConfirmableIsDoneOnceWritten(t *testing.T) {
	session(t, sim.CoAP{}, 1, func(t *testing.T, c *Conversation, far *peer) {
		m := report(0)
		m.QoS = 0
		publish(t, c, m)
		got := far.arrivals()
		if len(got) != 1 || got[0].kind != message.NonConfirmable || c.Room() != 1 {
			t.Fatalf("arrivals = %+v, room %d", got, c.Room())
		}
		far.send(header(message.NonConfirmable, codes.Changed, 1, got[0].tok))
		far.send(rst(got[0].id))
		if ev := c.Wait(time.Now().Add(time.Minute)); ev.Kind != sim.EventNone {
			t.Errorf("event = %+v", ev)
		}
		if n := len(far.arrivals()); n != 1 {
			t.Errorf("%d datagrams, want 1: a NON is not repeated, its response not answered", n)
		}
	})
}

// Who acknowledged a request is not called silent, and who did not is not said to have.
func TestD3_11_AcknowledgedWithoutAResponse(t *testing.T) {
	for want, answer := range map[sim.Outcome]func(far *peer, a arrival){
		sim.CoAPNoResponse: func(far *peer, a arrival) { far.send(ack(a.id)) },
		sim.CoAPTimeout:    func(*peer, arrival) {},
	} {
		session(t, sim.CoAP{}, 3, func(t *testing.T, c *Conversation, far *peer) {
			far.play(func(a arrival) { answer(far, a) })
			publish(t, c, report(0))
			if ev := c.Wait(time.Now().Add(time.Hour)); ev.Kind != sim.EventFailed || ev.Outcome != want {
				t.Errorf("%+v, want %s", ev, want.Class())
			}
		})
	}
	if got := sim.CoAPNoResponse.Class(); got != "coap no response" {
		t.Error(got)
	}
}
