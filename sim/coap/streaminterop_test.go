package coap

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/message/pool"
	coapnet "github.com/plgd-dev/go-coap/v3/net"
	"github.com/plgd-dev/go-coap/v3/net/blockwise"
	"github.com/plgd-dev/go-coap/v3/net/responsewriter"
	"github.com/plgd-dev/go-coap/v3/options"
	"github.com/plgd-dev/go-coap/v3/tcp"
	tcpclient "github.com/plgd-dev/go-coap/v3/tcp/client"

	"github.com/myriad-iot/myriad/sim"
)

// library is go-coap's server over TCP. It takes what is sent to any path, and lets GETs observe. Its own
// assembly of Block1 is not for us: it tells transfers apart by their tokens, of which each block has
// another here (RFC 9175 section 4.2), so that is done in the handler.
type library struct {
	addr string

	mu    sync.Mutex
	got   [][]byte
	part  []byte // of what comes in blocks
	token []byte
	conn  *tcpclient.Conn
	body  []byte
	tag   byte
	off   bool // the peer has asked to be told no more
}

// newLibrary starts one whose CSM has these options. With cuts it sends what is long in blocks of szx.
func newLibrary(t *testing.T, csm message.Options, cuts bool, szx blockwise.SZX) *library {
	t.Helper()
	l, err := coapnet.NewTCPListener("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	far := &library{addr: l.Addr().String()}
	s := tcp.NewServer(
		options.WithHandlerFunc(far.respond),
		options.WithBlockwise(cuts, szx, 20*time.Second),
		options.WithDisableTCPSignalMessageCSM(),
		options.WithMaxMessageSize(8000),
		options.WithRequestMonitor(far.hear),
		options.WithOnNewConn(func(cc *tcpclient.Conn) {
			m := cc.AcquireMessage(cc.Context())
			defer cc.ReleaseMessage(m)
			m.SetCode(codes.CSM)
			for _, o := range csm {
				m.SetOptionBytes(o.ID, o.Value)
			}
			_ = cc.Session().WriteMessage(m) // the client says that it did not come
		}),
		options.WithErrors(func(err error) { t.Logf("go-coap: %v", err) }),
	)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() { s.Stop(); <-done })
	return far
}

func (l *library) respond(w *responsewriter.ResponseWriter[*tcpclient.Conn], r *pool.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.Code() != codes.GET {
		b, _ := r.ReadBody()
		l.part = append(l.part, b...)
		v, err := r.GetOptionUint32(message.Block1)
		if err == nil && v&8 != 0 {
			_ = w.SetResponse(codes.Continue, message.TextPlain, nil)
		} else {
			_ = w.SetResponse(codes.Changed, message.TextPlain, nil)
			l.got, l.part = append(l.got, l.part), nil
		}
		if err == nil {
			w.Message().SetOptionUint32(message.Block1, v)
		}
		return
	}
	on, err := r.Observe()
	_ = w.SetResponse(codes.Content, message.TextPlain, bytes.NewReader(l.body))
	_ = w.Message().SetETag([]byte{l.tag, 1}) // 2 bytes are valid
	if err == nil && on == 0 {
		l.token, l.conn = append([]byte(nil), r.Token()...), w.Conn()
		w.Message().SetObserve(12345)
	}
}

// hear notes a cancellation when it has been read: go-coap ends a connection that the peer has closed without handling
// what was read before.
func (l *library) hear(_ *tcpclient.Conn, r *pool.Message) (drop bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	on, err := r.Observe()
	l.off = l.off || err == nil && on == 1 && bytes.Equal(r.Token(), l.token)
	return false, nil
}

// notify sends a notification with number.
func (l *library) notify(t *testing.T, number uint32, body []byte) {
	t.Helper()
	l.mu.Lock()
	l.body, l.tag = body, byte(number)
	cc, tok := l.conn, l.token
	l.mu.Unlock()
	m := cc.AcquireMessage(context.Background())
	defer cc.ReleaseMessage(m)
	m.SetCode(codes.Content)
	m.SetToken(tok)
	m.SetObserve(number)
	m.SetContentFormat(message.TextPlain)
	_ = m.SetETag([]byte{byte(number), 1}) // 2 bytes are valid
	m.SetBody(bytes.NewReader(body))
	if err := cc.WriteMessage(m); err != nil {
		t.Errorf("notify: %v", err)
	}
}

// reached is a device that has registered for "c" at far.
func (l *library) reached(t *testing.T) (c sim.Conversation, next func() *sim.Event) {
	t.Helper()
	d := &StreamDialer{Binding: sim.Binding{CoAP: sim.CoAP{Method: "PUT", Observe: []string{"c"}}}}
	c, _, o := d.Dial(t.Context(), &sim.Caller{Endpoint: l.addr, Key: 5})
	if o != sim.OK {
		t.Fatal(o)
	}
	t.Cleanup(func() { c.Close(true) })
	next = func() *sim.Event { return c.Wait(time.Now().Add(30 * time.Second)) }
	for c.(sim.Windowed).Room() == 0 {
		if ev := next(); ev.Kind != sim.EventNone {
			t.Fatalf("event = %+v", ev)
		}
	}
	return c, next
}

// Reports reach a library whole or in blocks, of BERT if it knows it.
func TestStreamReportsToGoCoAP(t *testing.T) {
	for name, list := range map[string]message.Options{"plain blocks": nil, "BERT": csm(8000, true)} {
		t.Run(name, func(t *testing.T) {
			far := newLibrary(t, list, false, 0)
			c, next := far.reached(t)
			for i, size := range []int{1, 1000, 1024, 1200, 5000, 9000, 20000} {
				body := bytes.Repeat([]byte{byte('a' + i)}, size)
				if o := c.Publish(&sim.Message{Seq: uint32(i), Topic: "t/x", Payload: body, QoS: 1}); o != sim.OK {
					t.Fatal(o)
				}
				if ev := next(); ev.Kind != sim.EventAcked || ev.Seq != uint32(i) {
					t.Fatalf("%d bytes: %+v", size, ev)
				}
				far.mu.Lock()
				if len(far.got) != i+1 || !bytes.Equal(far.got[i], body) {
					t.Errorf("%d bytes: %d arrived", size, len(far.got))
				}
				far.mu.Unlock()
			}
		})
	}
}

// A library's notifications arrive whole or in blocks, in order whatever their numbers, and leaving
// cancels.
func TestStreamObservesGoCoAP(t *testing.T) {
	for name, szx := range map[string]blockwise.SZX{"plain blocks": blockwise.SZX1024, "small": blockwise.SZX64, "BERT": blockwise.SZXBERT} {
		t.Run(name, func(t *testing.T) {
			far := newLibrary(t, csm(8000, true), true, szx)
			c, next := far.reached(t)
			for i, size := range []int{1, 1000, 1025, 5000, 20000, 7} {
				body := bytes.Repeat([]byte{byte('a' + i)}, size)
				far.notify(t, uint32(100-i), body) // numbers go down
				if ev := next(); ev.Kind != sim.EventInbound || !bytes.Equal(ev.Inbound.Payload, body) {
					t.Fatalf("notification of %d bytes: %+v", size, ev)
				}
			}
			c.Close(false)
			for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
				far.mu.Lock()
				off := far.off
				far.mu.Unlock()
				if off {
					break
				}
				if time.Now().After(deadline) {
					t.Fatal("the observation was not cancelled")
				}
			}
		})
	}
}
