package backend

import (
	"bytes"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/udp/coder"

	"github.com/myriad-iot/myriad/sim"
)

func coapDial(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func encode(t *testing.T, m message.Message) []byte {
	t.Helper()
	b := make([]byte, 2048)
	n, err := coder.DefaultCoder.Encode(m, b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

// exchange sends a datagram and returns the next one, nil if none comes within a time.
func exchange(t *testing.T, c net.Conn, datagram []byte, within time.Duration) []byte {
	t.Helper()
	if _, err := c.Write(datagram); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 2048)
	_ = c.SetReadDeadline(time.Now().Add(within))
	n, err := c.Read(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

func TestCoAPServerAnswers(t *testing.T) {
	at := inProcess(t, Options{CoAP: "127.0.0.1:0"}, nil)
	c := coapDial(t, at[sim.SchemeCoAP][0])
	path := func(segments ...string) (o message.Options) {
		for _, s := range segments {
			o = append(o, message.Option{ID: message.URIPath, Value: []byte(s)})
		}
		return o
	}
	token := message.Token{1, 2, 3}
	con, non, ack := message.Confirmable, message.NonConfirmable, message.Acknowledgement
	cases := []struct {
		name    string
		request message.Message
		kind    message.Type
		code    codes.Code
		payload string
	}{
		{"POST", message.Message{Type: con, Code: codes.POST, Options: path("a", "b"), Payload: []byte("x")}, ack, codes.Changed, ""},
		{"PUT", message.Message{Type: con, Code: codes.PUT, Options: path("a"), Payload: payload(stamp(1, 1))}, ack, codes.Changed, ""},
		{"empty POST", message.Message{Type: con, Code: codes.POST}, ack, codes.Changed, ""},
		{"NON POST", message.Message{Type: non, Code: codes.POST, Payload: []byte("x")}, non, codes.Changed, ""},
		{"discovery", message.Message{Type: con, Code: codes.GET, Options: path(".well-known", "core")}, ack, codes.Content, links},
		{"GET", message.Message{Type: con, Code: codes.GET, Options: path("nowhere")}, ack, codes.NotFound, ""},
		{"DELETE", message.Message{Type: con, Code: codes.DELETE, Options: path("a")}, ack, codes.MethodNotAllowed, ""},
		{"FETCH", message.Message{Type: con, Code: 5, Options: path("a")}, ack, codes.Changed, ""},
		{"a first block that is too short", message.Message{Type: con, Code: codes.POST, Options: message.Options{{ID: message.Block1, Value: []byte{8}}},
			Payload: []byte("x")}, ack, codes.BadRequest, ""},
	}
	for i, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			tc.request.Token, tc.request.MessageID = token, int32(100+i)
			reply := exchange(t, c, encode(t, tc.request), 10*time.Second)
			var m message.Message
			m.Options = make(message.Options, 0, 8)
			if _, err := coder.DefaultCoder.Decode(reply, &m); err != nil {
				t.Fatalf("%x: %v", reply, err)
			}
			if m.Type != tc.kind || m.Code != tc.code || string(m.Payload) != tc.payload || !bytes.Equal(m.Token, token) {
				t.Errorf("answered %+v", m)
			}
			if m.Type == ack && m.MessageID != tc.request.MessageID {
				t.Errorf("acknowledged %d instead of %d", m.MessageID, tc.request.MessageID)
			}
		})
	}
	if reply := exchange(t, c, []byte{0x40, 0, 0xAB, 0xCD}, 10*time.Second); !bytes.Equal(reply, []byte{0x70, 0, 0xAB, 0xCD}) {
		t.Errorf("a ping was answered %x", reply)
	}
	for name, nothing := range map[string][]byte{
		"a reset": {0x70, 0, 0xAB, 0xCE}, "an acknowledgement": {0x60, 0, 0xAB, 0xCE}, "garbage": {0xFF}, "nothing": {},
	} {
		if reply := exchange(t, c, nothing, 50*time.Millisecond); reply != nil {
			t.Errorf("%s was answered %x", name, reply)
		}
	}
	if reply := exchange(t, c, encode(t, message.Message{Type: con, Code: codes.POST, MessageID: 7}), 10*time.Second); reply == nil {
		t.Error("no answer after garbage")
	}
}

// A message is on record before it is answered, and once however often it is sent.
func TestCoAPServerRecordsOnce(t *testing.T) {
	log, clock := newLog(), wall{time.Now()}
	tg := &Target{CoAP: true}
	tg.Journal(log, clock)
	at := target(t, tg)
	c := coapDial(t, at[sim.SchemeCoAP][0])
	h, _ := tg.Handle("coap")
	for i, kind := range []message.Type{message.Confirmable, message.NonConfirmable} {
		s := stamp(i, 5)
		request := encode(t, message.Message{Type: kind, Code: codes.POST, MessageID: int32(9 + i), Token: message.Token{1},
			Payload: payload(s)})
		first := exchange(t, c, request, 10*time.Second)
		again := exchange(t, c, request, 10*time.Second)
		if first == nil || len(first) != len(again) || first[1] != again[1] {
			t.Errorf("answered %x, then %x", first, again)
		}
		next := exchange(t, c, encode(t, message.Message{Type: kind, Code: codes.POST, MessageID: int32(90 + i),
			Payload: payload(stamp(i, 6))}), 10*time.Second)
		if next == nil {
			t.Error("no answer")
		}
	}
	if err := h.Down(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		if log.count(stamp(i, 5)) != 1 || log.count(stamp(i, 6)) != 1 {
			t.Errorf("%d: recorded %d and %d times", i, log.count(stamp(i, 5)), log.count(stamp(i, 6)))
		}
	}
	if err := h.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	if exchange(t, c, encode(t, message.Message{Type: message.Confirmable, Code: codes.POST, MessageID: 33,
		Payload: payload(stamp(8, 8))}), 10*time.Second) == nil {
		t.Error("no answer after the restart")
	}
}

func TestCoAPServerFreeze(t *testing.T) {
	tg := &Target{CoAP: true}
	at := target(t, tg)
	h, _ := tg.Handle("coap")
	if err := h.Freeze(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	pid := children(tg)[0]
	eventually(t, "frozen", func() bool { return state(pid) == 'T' })
	c := coapDial(t, at[sim.SchemeCoAP][0])
	if reply := exchange(t, c, []byte{0x40, 0, 0, 1}, 200*time.Millisecond); reply != nil {
		t.Errorf("a frozen server answered %x", reply)
	}
	if err := h.Freeze(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.Read(make([]byte, 64)); err != nil {
		t.Errorf("what queued while it was frozen: %v", err)
	}
}

func TestServeNeedsFreePorts(t *testing.T) {
	taken, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	o := Options{MQTT: "127.0.0.1:0", CoAP: taken.LocalAddr().String()}
	if err := Serve(t.Context(), o, nil, nil); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("got %v", err)
	}
}
