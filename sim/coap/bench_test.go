package coap

import (
	"context"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/plgd-dev/go-coap/v3/message/codes"

	"github.com/myriad-iot/myriad/sim"
)

// echoConn is a peer without a network: what is written is answered by the next Read, a ping with
// a reset, a request with 2.04.
type echoConn struct {
	net.Conn
	reply [headerSize + tokenSize]byte
	n     int
}

func (c *echoConn) Write(b []byte) (int, error) {
	c.n = copy(c.reply[:], b)
	if len(b) == headerSize {
		c.reply[0] = 0x70
	} else {
		c.reply[0], c.reply[1] = b[0]&0x0f|0x60, byte(codes.Changed)
	}
	return len(b), nil
}

func (c *echoConn) Read(b []byte) (int, error)       { return copy(b, c.reply[:c.n]), nil }
func (c *echoConn) SetReadDeadline(time.Time) error  { return nil }
func (c *echoConn) SetWriteDeadline(time.Time) error { return nil }
func (c *echoConn) Close() error                     { return nil }

func dialEcho(tb testing.TB) *Conversation {
	tb.Helper()
	d := &Dialer{ContentFormat: 50, DialConn: func(context.Context, string, sim.Ordinal) (net.Conn, error) {
		return new(echoConn), nil
	}}
	return dialUDP(tb, d, "")
}

// exchangeOnce publishes m and waits for its acknowledgement. It lends the conversation message ids
// without end, which no real one has at this rate.
func exchangeOnce(tb testing.TB, c *Conversation, m *sim.Message) {
	c.ids.used %= blockSize
	if c.Room() == 0 {
		tb.Fatal("no room")
	}
	if o := c.Publish(m); o != sim.OK {
		tb.Fatal(o)
	}
	if m.QoS == 0 {
		return
	}
	if ev := c.Wait(time.Time{}); ev.Kind != sim.EventAcked || ev.Seq != m.Seq {
		tb.Fatalf("event = %+v", ev)
	}
}

func TestExchangesDoNotAllocate(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector makes sync.Pool forget")
	}
	con := &sim.Message{Topic: "telemetry/rooms-7?unit=Cel", Payload: make([]byte, 120), QoS: 1}
	non := &sim.Message{Topic: "telemetry/rooms-7", Payload: make([]byte, 600)}
	udp := dialUDP(t, &Dialer{ContentFormat: 50}, udpServer(t, "127.0.0.1:0").LocalAddr().String())
	for name, c := range map[string]*Conversation{"in memory": dialEcho(t), "UDP": udp} {
		for _, m := range []*sim.Message{con, non} {
			if n := testing.AllocsPerRun(500, func() { exchangeOnce(t, c, m) }); n != 0 {
				t.Errorf("%s, QoS %d: %v allocations per exchange", name, m.QoS, n)
			}
		}
	}
}

func BenchmarkExchange(b *testing.B) {
	m := &sim.Message{Topic: "telemetry/rooms-7", Payload: make([]byte, 120), QoS: 1}
	b.Run("memory", func(b *testing.B) {
		c := dialEcho(b)
		b.ReportAllocs()
		for b.Loop() {
			exchangeOnce(b, c, m)
		}
	})
	b.Run("udp", func(b *testing.B) { // both ends, in one process
		c := dialUDP(b, &Dialer{ContentFormat: 50}, udpServer(b, "127.0.0.1:0").LocalAddr().String())
		b.ReportAllocs()
		for b.Loop() {
			exchangeOnce(b, c, m)
		}
	})
}

// idleDevices dials n devices and lets each wait in a goroutine of its own. It returns the heap
// bytes of a conversation, its socket in package net included, and the bytes of a waiting goroutine.
func idleDevices(tb testing.TB, n int) (conversation, goroutine float64) {
	tb.Helper()
	addr := udpServer(tb, "127.0.0.1:0").LocalAddr().String()
	d := new(Dialer)
	dialUDP(tb, d, addr)
	conns := make([]*Conversation, n)
	before := memory()
	for i := range conns {
		conv, _, o := d.Dial(tb.Context(), &sim.Caller{Key: uint64(i), Endpoint: addr})
		if o != sim.OK {
			tb.Fatal(o)
		}
		conns[i] = conv.(*Conversation)
	}
	dialed := memory()
	var wg sync.WaitGroup
	for _, c := range conns {
		wg.Go(func() { c.Wait(time.Time{}) })
	}
	time.Sleep(100 * time.Millisecond) // until they are in Read
	waiting := memory()
	for _, c := range conns {
		c.Interrupt()
	}
	wg.Wait()
	for _, c := range conns {
		c.Close(false)
	}
	return float64(dialed.HeapAlloc-before.HeapAlloc) / float64(n),
		float64(waiting.HeapAlloc+waiting.StackInuse-dialed.HeapAlloc-dialed.StackInuse) / float64(n)
}

func memory() runtime.MemStats {
	for range 3 {
		runtime.GC() // three: pools give up what they hold in two
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m
}

func TestIdleDevicesAreSmall(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector has a memory of its own")
	}
	if heap, _ := idleDevices(t, 500); heap > 1024 {
		t.Errorf("an idle conversation holds %.0f bytes of heap", heap)
	}
}

func BenchmarkIdleDevice(b *testing.B) {
	for b.Loop() {
		heap, goroutine := idleDevices(b, 1000)
		b.ReportMetric(heap, "heapB/device")
		b.ReportMetric(goroutine, "goroutineB/device")
	}
}
