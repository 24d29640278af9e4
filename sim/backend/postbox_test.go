package backend

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"testing"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/tcp/coder"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/coap"
	"github.com/myriad-iot/myriad/sim/journal"
)

// streamServer is one over TCP, in this process.
func streamServer(t *testing.T) (s *CoAPServer, address string) {
	t.Helper()
	s = &CoAPServer{journal: journal.NewWriter(nil, 0), log: slog.New(slog.DiscardHandler), store: new(store)}
	service, err := s.listenStream(sim.SchemeCoAPTCP, "127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- service.run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s, service.address
}

// raw is a client by hand.
type raw struct {
	net.Conn
	t   *testing.T
	all []byte
}

func dialRaw(t *testing.T, address string, csm ...message.Option) *raw {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	r := &raw{Conn: c, t: t}
	r.say(message.Message{Code: codes.CSM, Options: csm})
	m := r.read()
	limit, err := m.Options.GetUint32(message.TCPMaxMessageSize)
	if m.Code != codes.CSM || err != nil || limit != streamMessage || !m.Options.HasOption(message.TCPBlockWiseTransfer) {
		t.Fatalf("the first message is %+v", m)
	}
	return r
}

func (r *raw) say(m message.Message) {
	r.t.Helper()
	b := make([]byte, 1<<15)
	n, err := coder.DefaultCoder.Encode(m, b)
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := r.Write(b[:n]); err != nil {
		r.t.Fatal(err)
	}
}

func (r *raw) read() message.Message {
	r.t.Helper()
	b := make([]byte, 1<<15)
	_ = r.SetReadDeadline(time.Now().Add(20 * time.Second))
	for {
		var h coder.MessageHeader
		if _, err := coder.DefaultCoder.DecodeHeader(r.all, &h); err == nil && int(h.MessageLength) <= len(r.all) {
			m := message.Message{Options: make(message.Options, 0, 32)}
			if _, err := coder.DefaultCoder.Decode(bytes.Clone(r.all[:h.MessageLength]), &m); err != nil {
				r.t.Fatal(err)
			}
			r.all = r.all[h.MessageLength:]
			return m
		}
		n, err := r.Read(b)
		if err != nil {
			r.t.Fatal(err)
		}
		r.all = append(r.all, b[:n]...)
	}
}

func number(id message.OptionID, v byte) message.Option {
	o := message.Option{ID: id}
	if v > 0 {
		o.Value = []byte{v}
	}
	return o
}

var path = message.Option{ID: message.URIPath, Value: []byte("p")}

func (r *raw) observe(token byte, on byte) {
	r.say(message.Message{Code: codes.GET, Token: message.Token{token}, Options: message.Options{number(message.Observe, on), path}})
}

// What a client may say that is wrong, or at the limit, is answered in words.
func TestStreamRequests(t *testing.T) {
	s, address := streamServer(t)
	s.store.put("/p", make([]byte, 5000), message.TextPlain)
	limit := message.Option{ID: message.TCPMaxMessageSize, Value: []byte{0x10, 0x00}} // 4,096
	r := dialRaw(t, address, limit, message.Option{ID: message.TCPBlockWiseTransfer})
	poor := dialRaw(t, address)
	for name, tt := range map[string]struct {
		to    *raw
		m     message.Message
		code  codes.Code
		size  int  // of the payload
		block byte // of the answer, if any
	}{
		"GET in BERT":          {r, message.Message{Code: codes.GET, Options: message.Options{path}}, codes.Content, 3072, 0x0f},
		"its second block":     {r, message.Message{Code: codes.GET, Options: message.Options{path, number(message.Block2, 0x37)}}, codes.Content, 1928, 0x37},
		"a plain one":          {r, message.Message{Code: codes.GET, Options: message.Options{path, number(message.Block2, 0x10)}}, codes.Content, 16, 0x18},
		"beyond the end":       {r, message.Message{Code: codes.GET, Options: message.Options{path, number(message.Block2, 0xf7)}}, codes.BadOption, 0, 0},
		"who did not say BERT": {poor, message.Message{Code: codes.GET, Options: message.Options{path}}, codes.Content, 1024, 0x0e},
		"and asks for it":      {poor, message.Message{Code: codes.GET, Options: message.Options{path, number(message.Block2, 0x17)}}, codes.Content, 1024, 0x1e},
		"no such path": {r, message.Message{Code: codes.GET, Options: message.Options{{ID: message.URIPath, Value: []byte("q")}}},
			codes.NotFound, 0, 0},
		"DELETE": {r, message.Message{Code: codes.DELETE, Options: message.Options{path}}, codes.MethodNotAllowed, 0, 0},
		"a crooked BERT block": {r, message.Message{Code: codes.PUT, Options: message.Options{path, number(message.Block1, 0x0f)},
			Payload: make([]byte, 1500)}, codes.BadRequest, 0, 0x0f},
		"an empty one": {r, message.Message{Code: codes.PUT, Options: message.Options{path, number(message.Block1, 0x0f)}},
			codes.BadRequest, 0, 0x0f},
		"one without its first": {r, message.Message{Code: codes.PUT, Options: message.Options{path, number(message.Block1, 0x1f)},
			Payload: make([]byte, 1024)}, codes.RequestEntityIncomplete, 0, 0x1f},
		"iPATCH": {r, message.Message{Code: codeIPATCH, Options: message.Options{{ID: message.URIPath, Value: []byte("r")}},
			Payload: []byte("x")}, codes.Changed, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			tt.m.Token = message.Token{1, 2, 3}
			tt.to.say(tt.m)
			m := tt.to.read()
			id := message.Block2
			if tt.m.Code != codes.GET {
				id = message.Block1
			}
			b, _ := m.Options.GetUint32(id)
			if m.Code != tt.code || len(m.Payload) != tt.size || b != uint32(tt.block) || !bytes.Equal(m.Token, tt.m.Token) {
				t.Errorf("%v, %d bytes, block %x, token %x", m.Code, len(m.Payload), b, m.Token)
			}
		})
	}
}

// A client that reads nothing holds up nobody; one that cancels is told nothing more; and the end of a
// connection ends its relations.
func TestStreamsThatDoNotRead(t *testing.T) {
	s, address := streamServer(t)
	stuck, fine, off := dialRaw(t, address), dialRaw(t, address), dialRaw(t, address)
	for _, r := range []*raw{stuck, fine, off} {
		for token := range byte(maxRelations) {
			r.observe(token, 0)
			if r != stuck {
				if m := r.read(); m.Code != codes.Content || !m.Options.HasOption(message.Observe) || m.Token[0] != token {
					t.Fatalf("answered %+v", m)
				}
			}
		}
	}
	fine.observe(maxRelations, 0) // one too many: a plain GET
	if m := fine.read(); m.Code != codes.Content || m.Options.HasOption(message.Observe) {
		t.Errorf("one too many: %+v", m)
	}
	for token := range byte(maxRelations) {
		off.observe(token, 1)
		if m := off.read(); m.Code != codes.Content || m.Options.HasOption(message.Observe) {
			t.Errorf("cancelled: %+v", m)
		}
	}
	body := make([]byte, 1024)
	for i := range 200 { // 13 MB for each
		body[0] = byte(i)
		s.store.put("/p", body, message.TextPlain)
		seen := 0
		for seen < maxRelations { // of this state, or of one before that was under way
			if m := fine.read(); m.Payload[0] == byte(i) {
				seen++
			}
		}
	}
	off.say(message.Message{Code: codes.Ping, Token: message.Token{9}})
	if m := off.read(); m.Code != codes.Pong {
		t.Errorf("after the cancellation: %+v", m)
	}
	for _, r := range []*raw{stuck, fine, off} {
		_ = r.Close()
	}
	eventually(t, "relations", func() bool {
		s.store.mu.Lock()
		defer s.store.mu.Unlock()
		return len(s.store.relations) == 0 && len(s.store.resources["/p"].observers) == 0
	})
}

// Garbage ends a connection and nothing else.
func TestStreamGarbage(t *testing.T) {
	_, address := streamServer(t)
	for _, b := range [][]byte{bytes.Repeat([]byte{0xff}, 40), {0xf0, 0x7f, 0xff, 0xff, 0xff, 1}, {0x10, 2, 0xf0}, []byte("GET / HTTP/1.1\r\n\r\n")} {
		r := dialRaw(t, address)
		if _, err := r.Write(b); err != nil {
			t.Fatal(err)
		}
		if b[0] == 'G' {
			continue // may be the beginning of something long
		}
		_ = r.SetReadDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.Copy(io.Discard, r); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%x: the connection stays", b)
		}
	}
	c, _, o := new(coap.StreamDialer).Dial(t.Context(), &sim.Caller{Endpoint: address})
	if o != sim.OK {
		t.Fatal(o)
	}
	c.Close(false)
}
