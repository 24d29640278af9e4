package coap

import (
	"bytes"
	"context"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/mux"
	coapnet "github.com/plgd-dev/go-coap/v3/net"
	"github.com/plgd-dev/go-coap/v3/options"
	"github.com/plgd-dev/go-coap/v3/udp"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/peers"
)

// received is what a go-coap server saw of a request.
type received struct {
	path, body string
	format     message.MediaType
	kind       message.Type
}

func goCoAPServer(t *testing.T) (addr string, seen func() []received) {
	t.Helper()
	var mu sync.Mutex
	var got []received
	note := func(r *mux.Message) {
		path, _ := r.Path()
		body, _ := r.ReadBody()
		format, _ := r.ContentFormat()
		mu.Lock()
		defer mu.Unlock()
		got = append(got, received{path, string(body), format, r.Type()})
	}
	router := mux.NewRouter()
	handle := func(pattern string, f func(w mux.ResponseWriter, r *mux.Message)) {
		if err := router.Handle(pattern, mux.HandlerFunc(f)); err != nil {
			t.Fatal(err)
		}
	}
	respond := func(w mux.ResponseWriter, code codes.Code) {
		if err := w.SetResponse(code, message.TextPlain, bytes.NewReader(nil)); err != nil {
			t.Error(err)
		}
	}
	handle("/t/{id}", func(w mux.ResponseWriter, r *mux.Message) { note(r); respond(w, codes.Changed) })
	handle("/busy", func(w mux.ResponseWriter, r *mux.Message) { respond(w, codes.ServiceUnavailable) })
	handle("/hasty", func(w mux.ResponseWriter, r *mux.Message) { respond(w, codes.TooManyRequests) })
	handle("/separate", func(w mux.ResponseWriter, r *mux.Message) {
		note(r)
		m := w.Conn().AcquireMessage(r.Context()) // a message of its own, confirmable, beside an empty ACK
		defer w.Conn().ReleaseMessage(m)
		m.SetCode(codes.Created)
		m.SetToken(r.Token())
		m.SetType(message.Confirmable)
		if err := w.Conn().WriteMessage(m); err != nil {
			t.Errorf("the separate response was not acknowledged: %v", err)
		}
	})
	l, err := coapnet.NewListenUDP("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := udp.NewServer(options.WithMux(router))
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Stop()
		<-done
		l.Close()
	})
	return l.LocalAddr().String(), func() []received { mu.Lock(); defer mu.Unlock(); return got }
}

func TestAgainstGoCoAP(t *testing.T) {
	addr, seen := goCoAPServer(t)
	d := &Dialer{ContentFormat: message.AppJSON}
	c := dialUDP(t, d, addr)
	tests := []struct {
		topic string
		kind  sim.EventKind
		want  sim.Outcome
	}{
		{"t/dev-0", sim.EventAcked, sim.OK},
		{"separate", sim.EventAcked, sim.OK},
		{"busy", sim.EventFailed, sim.CoAPUnavailable},
		{"hasty", sim.EventFailed, sim.CoAPTooMany},
		{"nowhere", sim.EventFailed, sim.CoAPClientError},
		{"t/dev-0", sim.EventAcked, sim.OK},
	}
	for seq, tt := range tests {
		publish(t, c, &sim.Message{Seq: uint32(seq), Topic: tt.topic, Payload: []byte(`{"v":1}`), QoS: 1})
		ev := c.Wait(time.Now().Add(10 * time.Second))
		if ev.Kind != tt.kind || ev.Seq != uint32(seq) || ev.Outcome != tt.want || ev.Attempts != 1 {
			t.Errorf("POST %s: %+v", tt.topic, ev)
		}
	}
	publish(t, c, &sim.Message{Topic: "t/dev-1", Payload: []byte("non"), QoS: 0})
	publish(t, c, &sim.Message{Seq: 9, Topic: "t/dev-2", Payload: []byte("con"), QoS: 1}) // passes after it
	if ev := c.Wait(time.Now().Add(10 * time.Second)); ev.Kind != sim.EventAcked || ev.Seq != 9 {
		t.Errorf("event = %+v", ev)
	}
	got := map[received]int{}
	deadline := time.Now().Add(10 * time.Second)
	for ; time.Now().Before(deadline) && len(got) < 4; time.Sleep(time.Millisecond) {
		clear(got)
		for _, r := range seen() {
			got[r]++
		}
	}
	want := map[received]int{
		{"/t/dev-0", `{"v":1}`, message.AppJSON, message.Confirmable}:  2,
		{"/separate", `{"v":1}`, message.AppJSON, message.Confirmable}: 1,
		{"/t/dev-1", "non", message.AppJSON, message.NonConfirmable}:   1,
		{"/t/dev-2", "con", message.AppJSON, message.Confirmable}:      1,
	}
	for r, n := range want {
		if got[r] != n {
			t.Errorf("the server saw %+v %d times, want %d", r, got[r], n)
		}
	}
}

// libcoap starts Debian's libcoap server, which creates what is posted to it. drop lists the
// datagrams, counted from 1, that it is to lose on their way out.
func libcoap(t *testing.T, drop string) (addr string) {
	t.Helper()
	var args []string
	if drop != "" {
		args = []string{"-l", drop}
	}
	addr, _ = peers.Libcoap(t, []string{"coap-server-notls", "coap-server-openssl", "coap-server-gnutls", "coap-server"}, args)
	return addr
}

func TestAgainstLibcoap(t *testing.T) {
	addr := libcoap(t, "")
	c := dialUDP(t, new(Dialer), addr)
	for seq := range uint32(20) {
		publish(t, c, report(seq))
		if ev := c.Wait(time.Now().Add(10 * time.Second)); ev.Kind != sim.EventAcked || ev.Seq != seq {
			t.Fatalf("event = %+v", ev)
		}
	}
	publish(t, c, &sim.Message{Seq: 77, Topic: ".well-known/core", Payload: []byte("x"), QoS: 1})
	if ev := c.Wait(time.Now().Add(10 * time.Second)); ev.Kind != sim.EventFailed || ev.Outcome != sim.CoAPClientError {
		t.Errorf("POST to a read-only resource: %+v", ev)
	}
}

func TestAgainstALossyLibcoap(t *testing.T) {
	addr := libcoap(t, "3,5-6") // 1 and 2 are pongs
	d := &Dialer{Binding: sim.Binding{CoAP: sim.CoAP{AckTimeout: sim.Duration(400 * time.Millisecond)}}}
	c := dialUDP(t, d, addr)
	for seq, want := range []uint16{2, 3, 1} {
		publish(t, c, report(uint32(seq)))
		ev := c.Wait(time.Now().Add(10 * time.Second))
		if ev.Kind != sim.EventAcked || ev.Attempts < want { // more, if the server is slow to answer
			t.Errorf("message %d: %+v, want an acknowledgement after %d transmissions", seq, ev, want)
		}
	}
}

// libcoap's /time notifies each second; what is posted in blocks is whole there, also if some of the
// answers are lost.
func TestObservingAndBlocksAgainstLibcoap(t *testing.T) {
	addr := libcoap(t, "6,9-10")
	d := &Dialer{Binding: sim.Binding{CoAP: sim.CoAP{
		Observe: []string{"time"}, Method: "PUT", BlockSize: 64, AckTimeout: sim.Duration(200 * time.Millisecond),
	}}}
	c := dialUDP(t, d, addr)
	seen, acked := 0, false
	deadline := time.Now().Add(30 * time.Second)
	for sent := false; (seen < 3 || !acked) && time.Now().Before(deadline); {
		if !sent && c.Room() > 0 {
			sent = true
			publish(t, c, &sim.Message{Seq: 1, Topic: "example_data", Payload: bytes.Repeat([]byte("x"), 500), QoS: 1})
		}
		switch ev := c.Wait(deadline); ev.Kind {
		case sim.EventInbound:
			if string(ev.Inbound.Topic) != "time" || len(ev.Inbound.Payload) == 0 {
				t.Errorf("inbound %+v", ev.Inbound)
			}
			seen++
		case sim.EventAcked:
			acked = ev.Seq == 1 && ev.Attempts >= 8
		case sim.EventNone:
		default:
			t.Fatalf("event = %+v", ev)
		}
	}
	if seen < 3 || !acked {
		t.Errorf("%d notifications, acknowledged %v", seen, acked)
	}
}

// Over TCP too libcoap's /time notifies each second, and what is posted whole or in blocks is whole there.
func TestStreamAgainstLibcoap(t *testing.T) {
	addr := libcoap(t, "")
	d := &StreamDialer{Binding: sim.Binding{CoAP: sim.CoAP{Observe: []string{"time"}, Method: "PUT", BlockSize: 64}}}
	c, _, o := d.Dial(t.Context(), &sim.Caller{Endpoint: addr, Key: 5})
	if o != sim.OK {
		t.Fatal(o)
	}
	defer c.Close(true)
	bodies := [][]byte{[]byte("small"), bytes.Repeat([]byte("large."), 100)}
	seen, sent, acked := 0, 0, 0
	for deadline := time.Now().Add(30 * time.Second); seen < 3 || acked < len(bodies); {
		if sent == acked && sent < len(bodies) && c.(sim.Windowed).Room() > 0 {
			if o := c.Publish(&sim.Message{Seq: uint32(sent), Topic: "example_data", Payload: bodies[sent], QoS: 1}); o != sim.OK {
				t.Fatal(o)
			}
			sent++
		}
		switch ev := c.Wait(deadline); {
		case !time.Now().Before(deadline):
			t.Fatalf("%d notifications, %d of %d acknowledged", seen, acked, sent)
		case ev.Kind == sim.EventInbound && string(ev.Inbound.Topic) == "time" && len(ev.Inbound.Payload) > 0:
			seen++
		case ev.Kind == sim.EventAcked && ev.Seq == uint32(acked):
			acked++
			if got := getOverTCP(t, addr, "example_data"); got != string(bodies[ev.Seq]) {
				t.Errorf("libcoap has %q, %d bytes", got, len(got))
			}
		case ev.Kind != sim.EventNone:
			t.Fatalf("event = %+v", ev)
		}
	}
}

// getOverTCP is what libcoap's own client finds there.
func getOverTCP(t *testing.T, addr, path string) string {
	t.Helper()
	client := peers.Program(t, "libcoap3-bin", "coap-client-notls")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, client, "-m", "get", "coap+tcp://"+addr+"/"+path).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
