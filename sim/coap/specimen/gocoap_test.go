package specimen_test

import (
	"context"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/backend"
	"github.com/myriad-iot/myriad/sim/coap/specimen"
)

// What the library makes of a peer's ways, as the device hears it.
func TestAnswers(t *testing.T) {
	once := 1
	brief := sim.CoAP{AckTimeout: sim.Duration(40 * time.Millisecond), RandomFactor: 1, MaxRetransmit: &once} // 120 ms in all
	reset := func(r *request) { r.answer(encode(message.Message{Type: message.Reset, MessageID: r.MessageID})) }
	code := func(c codes.Code) func(*request) { return func(r *request) { r.reply(c) } }
	separate := func(r *request) {
		if r.Type == message.Confirmable { // the client acknowledges the response too
			r.reply(codes.Empty)
			r.answer(encode(message.Message{Type: message.Confirmable, Code: codes.Changed, MessageID: 4711, Token: r.Token}))
		}
	}
	garbage := func(datagram ...byte) func(*request) { return func(r *request) { r.answer(datagram) } }
	for _, c := range []struct {
		name    string
		coap    sim.CoAP
		script  func(*request)
		kind    sim.EventKind
		outcome sim.Outcome
	}{
		{"2.04", sim.CoAP{}, code(codes.Changed), sim.EventAcked, sim.OK},
		{"2.04 to a PUT", sim.CoAP{Method: "put"}, code(codes.Changed), sim.EventAcked, sim.OK},
		{"separate response", sim.CoAP{}, separate, sim.EventAcked, sim.OK},
		{"4.04", sim.CoAP{}, code(codes.NotFound), sim.EventFailed, sim.CoAPClientError},
		{"4.29", sim.CoAP{}, code(codes.TooManyRequests), sim.EventFailed, sim.CoAPTooMany},
		{"5.00", sim.CoAP{}, code(codes.InternalServerError), sim.EventFailed, sim.CoAPServerError},
		{"5.03", sim.CoAP{}, code(codes.ServiceUnavailable), sim.EventFailed, sim.CoAPUnavailable},
		{"silence", brief, func(*request) {}, sim.EventFailed, sim.CoAPTimeout},
		{"reset, which it overlooks", brief, reset, sim.EventFailed, sim.CoAPTimeout},
		{"acknowledgement only", brief, code(codes.Empty), sim.EventFailed, sim.CoAPTimeout},
		{"half a header", sim.CoAP{}, garbage(0x60, 0), sim.EventDown, sim.CoAPMalformed},
		{"an empty datagram", sim.CoAP{}, garbage(), sim.EventDown, sim.CoAPMalformed},
		{"another version", sim.CoAP{}, garbage(0xE0, 0x44, 0, 0), sim.EventDown, sim.CoAPMalformed},
		{"a token that is cut off", sim.CoAP{}, garbage(0x68, 0x44, 0, 0, 1), sim.EventDown, sim.CoAPMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPeer(t, c.script)
			talk, _ := dial(t, sim.Binding{CoAP: c.coap}, p.endpoint())
			publish(t, talk, report(7))
			seq := uint32(7)
			if c.kind == sim.EventDown {
				seq = 0
			}
			expect(t, talk, c.kind, seq, c.outcome)
			if room := talk.(sim.Windowed).Room(); c.kind != sim.EventDown && room != 1 {
				t.Errorf("room for %d", room)
			}
		})
	}
}

func TestRequests(t *testing.T) {
	for _, c := range []struct {
		name   string
		method string
		m      *sim.Message
		kind   message.Type
		code   codes.Code
	}{
		{"CON", "", report(1), message.Confirmable, codes.POST},
		{"PUT", "PUT", report(1), message.Confirmable, codes.PUT},
		{"NON", "", &sim.Message{Topic: report(1).Topic, Payload: []byte("21.5")}, message.NonConfirmable, codes.POST},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := make(chan *request, 1)
			p := newPeer(t, func(r *request) { got <- r })
			talk, _ := dial(t, sim.Binding{CoAP: sim.CoAP{Method: c.method}}, p.endpoint())
			publish(t, talk, c.m)
			r := <-got
			path, _ := r.Options.Path()
			queries, _ := r.Options.Queries()
			format, _ := r.Options.ContentFormat()
			if r.Type != c.kind || r.Code != c.code || path != "/fleets/dev-0" || strings.Join(queries, " ") != "v=1 w" ||
				format != message.AppCBOR || string(r.Payload) != "21.5" || len(r.Token) != 8 {
				t.Errorf("the peer got %v %v of %q %v, format %v: %q", r.Type, r.Code, path, queries, format, r.Payload)
			}
		})
	}
}

func TestEmbeddedServer(t *testing.T) {
	server, err := backend.NewCoAPServer("127.0.0.1:0", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	talk, _ := dial(t, sim.Binding{}, server.Addr())
	for seq := range uint32(10) {
		m := report(seq)
		m.QoS = 0
		publish(t, talk, m)
		m.QoS = 1
		if seq == 9 {
			m.Payload = []byte(strings.Repeat("x", 3000)) // in blocks
		}
		publish(t, talk, m)
		expect(t, talk, sim.EventAcked, seq, sim.OK)
	}
	talk.Close(false)
}

func TestWindow(t *testing.T) {
	var held []*request
	p := newPeer(t, func(r *request) {
		if held = append(held, r); len(held) == 2 {
			held[1].reply(codes.Changed)
			held[0].reply(codes.NotFound)
		}
	})
	talk, _ := dial(t, sim.Binding{CoAP: sim.CoAP{NStart: 2}}, p.endpoint())
	publish(t, talk, report(1))
	publish(t, talk, report(2))
	if o, room := talk.Publish(report(3)), talk.(sim.Windowed).Room(); o != sim.LocalOther || room != 0 {
		t.Errorf("a third one: %v, room for %d", o, room)
	}
	seen := map[sim.EventKind]bool{}
	for range 2 {
		seen[talk.Wait(time.Time{}).Kind] = true
	}
	if !seen[sim.EventAcked] || !seen[sim.EventFailed] || talk.(sim.Windowed).Room() != 2 {
		t.Errorf("events %v, room for %d", seen, talk.(sim.Windowed).Room())
	}
}

// A report of QoS 0 that needs blocks arrives whole, and is not told of.
func TestLarge(t *testing.T) {
	for _, size := range []int{63, 64, 65, 200} {
		whole := make(chan string, 1)
		var got strings.Builder
		p := newPeer(t, func(r *request) {
			got.Write(r.Payload)
			m := message.Message{Type: message.Acknowledgement, Code: codes.Changed, MessageID: r.MessageID, Token: r.Token}
			if r.Type == message.NonConfirmable {
				m.Type = message.NonConfirmable
			}
			if block, err := r.Options.GetUint32(message.Block1); err == nil {
				m.Options, _, _ = m.Options.SetUint32(make([]byte, 8), message.Block1, block)
				if block&8 > 0 {
					m.Code = codes.Continue
				}
			}
			if m.Code == codes.Changed {
				whole <- got.String()
			}
			r.answer(encode(m))
		})
		talk, _ := dial(t, sim.Binding{CoAP: sim.CoAP{BlockSize: 64}}, p.endpoint())
		m := report(1)
		m.QoS, m.Payload = 0, []byte(strings.Repeat("0123456789", 20)[:size])
		publish(t, talk, m)
		if text := <-whole; text != string(m.Payload) {
			t.Errorf("%d bytes: the peer got %q", size, text)
		}
		if size < 64 {
			continue
		}
		if room := talk.(sim.Windowed).Room(); room != 0 {
			t.Errorf("%d bytes: room for %d", size, room)
		}
		e := talk.Wait(time.Now().Add(20 * time.Second))
		if room := talk.(sim.Windowed).Room(); e.Kind != sim.EventNone || room != 1 {
			t.Errorf("%d bytes: event %+v, room for %d", size, e, room)
		}
	}
}

// The first ICMP error that it reads ends the client, unlike Myriad's own.
func TestPeerGone(t *testing.T) {
	p := newPeer(t, func(*request) {})
	talk, _ := dial(t, sim.Binding{}, p.endpoint())
	p.close()
	publish(t, talk, report(1))
	expect(t, talk, sim.EventDown, 0, sim.CoAPUnreachable)
	if o := talk.Publish(report(2)); o != sim.CoAPUnreachable {
		t.Errorf("publish after the end: %v", o)
	}
	expect(t, talk, sim.EventDown, 0, sim.CoAPUnreachable)

	p = newPeer(t, func(*request) {})
	talk, _ = dial(t, sim.Binding{}, p.endpoint())
	p.close()
	publish(t, talk, &sim.Message{Topic: "a", Payload: []byte("21.5")}) // NON
	expect(t, talk, sim.EventDown, 0, sim.CoAPUnreachable)
}

func TestDialOutcomes(t *testing.T) {
	gone := newPeer(t, func(*request) {})
	gone.close()
	silent, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	short := sim.Binding{ConnectTimeout: sim.Duration(50 * time.Millisecond)}
	for _, c := range []struct {
		name     string
		ctx      context.Context
		b        sim.Binding
		endpoint string
		want     sim.Outcome
	}{
		{"nobody there", t.Context(), sim.Binding{}, gone.endpoint(), sim.CoAPUnreachable},
		{"silence", t.Context(), short, silent.LocalAddr().String(), sim.CoAPTimeout},
		{"canceled", canceled, short, silent.LocalAddr().String(), sim.AppUnknown},
		{"not to be followed", t.Context(), sim.Binding{CoAP: sim.CoAP{Observe: []string{"a"}}}, silent.LocalAddr().String(), sim.LocalOther},
	} {
		t.Run(c.name, func(t *testing.T) {
			begun := time.Now()
			talk, _, o := (&specimen.GoCoAP{Binding: c.b}).Dial(c.ctx, &sim.Caller{Endpoint: c.endpoint})
			if o != c.want || talk != nil {
				t.Errorf("%v, %v", talk, o)
			}
			if took := time.Since(begun); took > 8*time.Second {
				t.Errorf("took %v", took) // the connect timeout, though the client was closed
			}
		})
	}
}

func TestCheck(t *testing.T) {
	zero := 0
	for _, c := range []struct {
		b    sim.Binding
		says string
	}{
		{sim.Binding{}, ""},
		{sim.Binding{Transport: sim.TransportPlain, CoAP: sim.CoAP{Method: "Put", TokenSize: 8, RandomFactor: 1}}, ""},
		{sim.Binding{Transport: sim.TransportDTLS}, "dtls"},
		{sim.Binding{Transport: sim.TransportTCP}, "tcp"},
		{sim.Binding{CoAP: sim.CoAP{Observe: []string{"a"}}}, "observes"},
		{sim.Binding{CoAP: sim.CoAP{Method: "iPATCH"}}, "iPATCH"},
		{sim.Binding{CoAP: sim.CoAP{TokenSize: 4}}, "not 4"},
		{sim.Binding{CoAP: sim.CoAP{RandomFactor: 1.5}}, "ACK_RANDOM_FACTOR"},
		{sim.Binding{CoAP: sim.CoAP{MaxRetransmit: &zero}}, "MAX_RETRANSMIT"},
	} {
		err := (&specimen.GoCoAP{Binding: c.b}).Check()
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v, want %q", c.b, err, c.says)
		}
	}
}

func TestWait(t *testing.T) {
	p := newPeer(t, func(*request) {})
	talk, facts := dial(t, sim.Binding{}, p.endpoint())
	until := time.Now().Add(30 * time.Millisecond)
	if e := talk.Wait(until); e.Kind != sim.EventNone || time.Now().Before(until) {
		t.Errorf("event %+v, %v before the deadline", e, time.Until(until))
	}
	facts.Interrupter.Interrupt() // before Wait
	if e := talk.Wait(time.Time{}); e.Kind != sim.EventNone {
		t.Errorf("event %+v", e)
	}
	publish(t, talk, report(1))
	woken := make(chan sim.Event)
	go func() { woken <- *talk.Wait(time.Time{}) }()
	facts.Interrupter.Interrupt()
	if e := <-woken; e.Kind != sim.EventNone {
		t.Errorf("event %+v", e)
	}
	talk.Close(false) // with a message unanswered
	talk.Close(true)
	facts.Interrupter.Interrupt()
	if e := talk.Wait(time.Time{}); e.Kind == sim.EventNone {
		e = talk.Wait(time.Time{})
		if e.Kind != sim.EventDown {
			t.Errorf("event %+v after Close", e)
		}
	}
}

// The library's tick sleeps on for four seconds; nothing else stays.
func TestLeaks(t *testing.T) {
	p := newPeer(t, func(*request) {})
	for range 10 {
		talk, _ := dial(t, sim.Binding{}, p.endpoint())
		publish(t, talk, report(1))
		talk.Close(true)
	}
	running := func() (all []string) {
		buf := make([]byte, 1<<20)
		for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if strings.Contains(g, "go-coap") || strings.Contains(g, "specimen.(*conversation)") {
				all = append(all, g)
			}
		}
		return all
	}
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	late := time.After(20 * time.Second)
	for len(running()) > 0 {
		select {
		case <-look.C:
		case <-late:
			t.Fatalf("still running:\n%s", strings.Join(running(), "\n\n"))
		}
	}
}
