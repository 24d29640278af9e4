package coap

import (
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/udp/coder"

	"github.com/myriad-iot/myriad/sim"
)

// board is a server with one resource, which knows who observes it by address and token.
type board struct {
	l  net.PacketConn
	mu sync.Mutex
	by []net.Addr // who registered
	at []string   // their tokens
	n  uint32
}

func newBoard(t *testing.T) *board {
	t.Helper()
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &board{l: l}
	done := make(chan struct{})
	go func() { defer close(done); b.run() }()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return b
}

func (b *board) run() {
	buf := make([]byte, 2048)
	for {
		n, from, err := b.l.ReadFrom(buf)
		if err != nil {
			return
		}
		m := message.Message{Options: make(message.Options, 0, 32)}
		if _, err := coder.DefaultCoder.Decode(buf[:n], &m); err != nil || m.Type != message.Confirmable {
			continue
		}
		id := uint16(m.MessageID)
		if m.Code == codes.Empty {
			_, _ = b.l.WriteTo(rst(id), from)
			continue
		}
		if on, err := m.Options.Observe(); err == nil && on == 0 {
			b.mu.Lock()
			b.by, b.at = append(b.by, from), append(b.at, string(m.Token))
			b.mu.Unlock()
			_, _ = b.l.WriteTo(notice(message.Acknowledgement, codes.Content, id, string(m.Token), 1, "", ""), from)
		}
	}
}

// registrations are those up to now; the last one is told of payload.
func (b *board) tell(payload string) (registrations int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.n++
	last := len(b.by) - 1
	_, _ = b.l.WriteTo(notice(message.NonConfirmable, codes.Content, uint16(b.n), b.at[last], int(b.n)+1, "", payload), b.by[last])
	return len(b.by)
}

// A server knows a device by its address (RFC 7641 section 4.1): with a new one the device registers again
// at once, and hears what comes then.
func TestUDPRebindingRegistersAgain(t *testing.T) {
	far := newBoard(t)
	c := dialUDP(t, &Dialer{Binding: sim.Binding{CoAP: sim.CoAP{Observe: []string{"c"}}}}, far.l.LocalAddr().String())
	settle := func() {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); c.Room() == 0; {
			if ev := c.Wait(deadline); ev.Kind != sim.EventNone || time.Now().After(deadline) {
				t.Fatalf("event = %+v", ev)
			}
		}
	}
	hears := func(want string) {
		t.Helper()
		if ev := c.Wait(time.Now().Add(20 * time.Second)); ev.Kind != sim.EventInbound || string(ev.Inbound.Payload) != want {
			t.Fatalf("event = %+v, want %q", ev, want)
		}
	}
	settle()
	far.tell("one")
	hears("one")
	for i := range byte(3) {
		if o := c.Rebind(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 2 + i}), 0)); o != sim.OK {
			t.Fatal(o)
		}
		if c.Room() != 0 {
			t.Error("there is room, and a registration is due")
		}
		settle()
		if n := far.tell("again"); n != int(i)+2 {
			t.Errorf("%d registrations after %d moves", n, i+1)
		}
		hears("again")
	}
}

// A move in the middle of a registration, of a fetch of its blocks, or of a pause begins it anew, once.
func TestMovedInTheMiddle(t *testing.T) {
	now := time.Now()
	for name, during := range map[string]func(c *Conversation, o *observation){
		"held":         func(_ *Conversation, o *observation) { o.granted(5, time.Hour, 0, now) },
		"a pause":      func(_ *Conversation, o *observation) { o.lost(time.Hour, now) },
		"registration": func(c *Conversation, o *observation) { c.tend(now) },
		"a fetch": func(c *Conversation, o *observation) {
			o.granted(5, time.Hour, 0, now)
			o.part = &download{body: make([]byte, 1024), szx: largestSZX}
			c.tend(now)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := dialEcho(t)
			c.watch(&sim.Caller{}, now)
			c.seldom().watched = []observation{{path: "c", topic: []byte("c"), due: now}}
			o := &c.rare.watched[0]
			during(c, o)
			c.moved(now)
			if o.held || o.busy || o.part != nil || !o.wanting(now) || c.busy() != 0 || !o.fresh(0, now) {
				t.Errorf("after the move: %+v, %d exchanges", o, c.busy())
			}
		})
	}
}

// With a Connection ID the server knows who moved (RFC 9146), and goes on notifying: nothing is registered
// again. The embedded server's tests have the notifications.
func TestDTLSRebindingKeepsObservations(t *testing.T) {
	addr, _ := pskServer(t, withCID())
	c, _ := dialDTLS(t, pskDialer(sim.Security{CID: true}), addr, 1)
	now := time.Now()
	c.seldom().watched = []observation{{path: "c", topic: []byte("c")}}
	o := &c.rare.watched[0]
	o.granted(5, time.Hour, 0, now)
	if out := c.Rebind(netip.AddrPort{}); out != sim.OK {
		t.Fatal(out)
	}
	if ev := reported(t, c, 1); ev.Kind != sim.EventAcked || !o.held || o.busy || o.wanting(time.Now()) {
		t.Errorf("after the move: %+v, %+v", ev, o)
	}
}
