package coap

import (
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plgd-dev/go-coap/v3/message/codes"

	"github.com/myriad-iot/myriad/sim"
)

// udpServer answers on a loopback socket: pings by a reset, posts by 2.04, both in place.
func udpServer(tb testing.TB, addr string) *net.UDPConn {
	tb.Helper()
	at, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	s, err := net.ListenUDP("udp", at)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	go func() {
		buf := make([]byte, 2048)
		for {
			n, from, err := s.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			if n == headerSize {
				buf[0] = 0x70
			} else {
				buf[0], buf[1] = buf[0]&0x0f|0x60, byte(codes.Changed)
				n = headerSize + tokenSize
			}
			_, _ = s.WriteToUDPAddrPort(buf[:n], from)
		}
	}()
	return s
}

func dialUDP(tb testing.TB, d *Dialer, addr string) *Conversation {
	tb.Helper()
	conv, _, o := d.Dial(tb.Context(), &sim.Caller{ID: "udp-0", Key: 1, Endpoint: addr})
	if o != sim.OK {
		tb.Fatalf("dial %s: %v", addr, o)
	}
	tb.Cleanup(func() { conv.Close(false) })
	return conv.(*Conversation)
}

// lossyProxy forwards datagrams between one client and a server, and drops the first drop[k]
// transmissions of the k-th message from the client.
type lossyProxy struct {
	front, back *net.UDPConn
	drop        []int

	mu     sync.Mutex
	ids    []uint16
	passes map[uint16][]time.Time // arrivals of each message, dropped or not
}

func newLossyProxy(t *testing.T, server string, drop []int) *lossyProxy {
	t.Helper()
	back, err := net.Dial("udp", server)
	if err != nil {
		t.Fatal(err)
	}
	front, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	p := &lossyProxy{front: front, back: back.(*net.UDPConn), drop: drop, passes: map[uint16][]time.Time{}}
	t.Cleanup(func() { front.Close(); back.Close() })
	var client sync.Map
	go func() {
		buf := make([]byte, 2048)
		for {
			n, from, err := front.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			client.Store("addr", from)
			if p.admit(uint16(buf[2])<<8 | uint16(buf[3])) {
				_, _ = p.back.Write(buf[:n])
			}
		}
	}()
	go func() {
		buf := make([]byte, 2048)
		for {
			n, err := p.back.Read(buf)
			if err != nil {
				return
			}
			if to, ok := client.Load("addr"); ok {
				_, _ = front.WriteTo(buf[:n], net.UDPAddrFromAddrPort(to.(netip.AddrPort)))
			}
		}
	}()
	return p
}

func (p *lossyProxy) admit(id uint16) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, seen := p.passes[id]; !seen {
		p.ids = append(p.ids, id)
	}
	p.passes[id] = append(p.passes[id], time.Now())
	for k, known := range p.ids {
		if known == id && k < len(p.drop) {
			return len(p.passes[id]) > p.drop[k]
		}
	}
	return true
}

// RFC 7252's instants in real time. A stall of the machine can spoil a try, but hardly three; a
// wrong instant spoils each.
func TestRetransmissionOverALossyProxy(t *testing.T) {
	drop := []int{1, 0, 1, 2, 3} // message 0 is the ping
	if !testing.Short() {
		drop = append(drop, 4)
	}
	var complaints []string
	for range 3 {
		if complaints = overLossyProxy(t, drop); len(complaints) == 0 {
			return
		}
	}
	t.Error(strings.Join(complaints, "\n"))
}

func overLossyProxy(t *testing.T, drop []int) (complaints []string) {
	const ackTimeout = 200 * time.Millisecond
	const within = ackTimeout / 2 // tells doubling from anything else; the instants themselves are virtual time's to show
	complain := func(format string, args ...any) { complaints = append(complaints, fmt.Sprintf(format, args...)) }
	server := udpServer(t, "127.0.0.1:0")
	proxy := newLossyProxy(t, server.LocalAddr().String(), drop)
	d := &Dialer{Binding: sim.Binding{CoAP: sim.CoAP{AckTimeout: sim.Duration(ackTimeout)}}}
	c := dialUDP(t, d, proxy.front.LocalAddr().String())
	for seq := range uint32(len(drop) - 1) {
		publish(t, c, report(seq))
		ev := c.Wait(time.Now().Add(time.Minute))
		if ev.Kind != sim.EventAcked || ev.Seq != seq {
			t.Fatalf("message %d: %+v", seq, ev)
		}
		if want := uint16(drop[seq+1] + 1); ev.Attempts != want {
			complain("message %d took %d transmissions, want %d", seq, ev.Attempts, want)
		}
	}
	proxy.mu.Lock()
	defer proxy.mu.Unlock()
	for k, id := range proxy.ids {
		passes := proxy.passes[id]
		if len(passes) != drop[k]+1 {
			complain("message %d passed %d times, want %d", k, len(passes), drop[k]+1)
		}
		t0 := firstTimeout(1, uint64(k), ackTimeout, 1.5)
		for n, at := range passes {
			want := t0 * (1<<n - 1)
			if off := at.Sub(passes[0]) - want; off < -within || off > within {
				complain("message %d, transmission %d is %v off its instant %v", k, n, off, want)
			}
		}
	}
	return complaints
}

// A server that dies and comes back on its port: the kernel reports ICMP errors meanwhile, and the
// device's socket and message survive them.
func TestServerRestart(t *testing.T) {
	server := udpServer(t, "127.0.0.1:0")
	addr := server.LocalAddr().String()
	d := &Dialer{Binding: sim.Binding{CoAP: sim.CoAP{AckTimeout: sim.Duration(50 * time.Millisecond)}}}
	c := dialUDP(t, d, addr)
	server.Close()
	publish(t, c, report(0))
	for !c.only[0].unreachable { // the kernel limits the rate of ICMP errors: it may take another try
		if ev := c.Wait(time.Now().Add(10 * time.Millisecond)); ev.Kind != sim.EventNone {
			t.Fatalf("event = %+v", ev)
		}
	}
	udpServer(t, addr)
	if ev := c.Wait(time.Now().Add(time.Minute)); ev.Kind != sim.EventAcked || ev.Attempts < 2 {
		t.Fatalf("event = %+v, want an acknowledgement of a repetition", ev)
	}
}

func TestNobodyListens(t *testing.T) {
	server := udpServer(t, "127.0.0.1:0")
	addr := server.LocalAddr().String()
	params := sim.Binding{CoAP: sim.CoAP{AckTimeout: sim.Duration(20 * time.Millisecond)}}
	c := dialUDP(t, &Dialer{Binding: params}, addr)
	server.Close()
	publish(t, c, report(0))
	ev := c.Wait(time.Now().Add(time.Minute))
	if ev.Kind != sim.EventFailed || ev.Outcome != sim.CoAPUnreachable || ev.Attempts != 5 {
		t.Errorf("event = %+v", ev)
	}
	if conv, _, o := (&Dialer{Binding: params}).Dial(t.Context(), &sim.Caller{Endpoint: addr}); o != sim.CoAPUnreachable {
		t.Errorf("dial: %v, %v", conv, o)
	}
}

func TestInterruptFromManyGoroutines(t *testing.T) {
	server := udpServer(t, "127.0.0.1:0")
	c := dialUDP(t, &Dialer{}, server.LocalAddr().String())
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					c.Interrupt()
					runtime.Gosched()
				}
			}
		})
	}
	acked := 0
	for seq := range uint32(200) {
		publish(t, c, report(seq))
		for c.Room() == 0 {
			switch ev := c.Wait(time.Time{}); ev.Kind {
			case sim.EventAcked:
				acked++
			case sim.EventNone:
			default:
				t.Fatalf("event = %+v", ev)
			}
		}
	}
	close(done)
	wg.Wait()
	if acked != 200 {
		t.Errorf("%d acknowledgements, want 200", acked)
	}
	// An interrupt is never lost: each of these Waits would otherwise last for ever.
	c.Wait(time.Now())
	for range 500 {
		go c.Interrupt()
		if ev := c.Wait(time.Time{}); ev.Kind != sim.EventNone {
			t.Fatalf("event = %+v", ev)
		}
	}
	c.Close(true)
	c.Interrupt()
}

func TestOversizedDatagramsAreCut(t *testing.T) {
	far, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	go func() {
		buf := make([]byte, 2048)
		for {
			n, from, err := far.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			reply := append([]byte{0x70, 0}, buf[2:4]...)
			if n > headerSize {
				reply = append([]byte{0x68, byte(codes.Changed)}, buf[2:12]...)
				reply = append(append(reply, 0xff), make([]byte, 9000)...)
				_, _ = far.WriteToUDPAddrPort(nil, from) // an empty datagram is no end of file
			}
			_, _ = far.WriteToUDPAddrPort(reply, from)
		}
	}()
	c := dialUDP(t, &Dialer{}, far.LocalAddr().String())
	publish(t, c, report(0))
	if ev := c.Wait(time.Now().Add(time.Minute)); ev.Kind != sim.EventAcked || ev.Attempts != 1 {
		t.Errorf("event = %+v", ev)
	}
}
