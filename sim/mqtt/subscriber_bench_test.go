package mqtt

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/mochi-mqtt/server/v2/packets"
)

// BenchmarkSubscriber is the cost of a received QoS 1 message over TCP loopback, both ends in this
// process, from a broker with a window of so many unacknowledged messages: with our own client, with
// paho through wire, and with paho's own reads and writes. cpu-ns/op is user and system time.
func BenchmarkSubscriber(b *testing.B) {
	for _, window := range []int{20, 1000} {
		b.Run(fmt.Sprintf("window=%d/own", window), func(b *testing.B) { receive(b, window, false, false) })
		for _, wired := range []bool{true, false} {
			b.Run(fmt.Sprintf("window=%d/paho/wire=%v", window, wired), func(b *testing.B) { receive(b, window, true, wired) })
		}
	}
}

func receive(b *testing.B, window int, library, wired bool) {
	b.ReportAllocs()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	begin := make(chan struct{})
	var ends sync.WaitGroup
	ends.Go(func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		<-begin
		feed(conn, b.N, window)
	})
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	if wired {
		w := newWire(conn)
		ends.Go(w.run)
		conn = w
	}
	got, all := 0, make(chan struct{})
	s := &Subscriber{Endpoint: "bench", ClientID: "bench", OnMessage: func([]byte, []byte, time.Time, bool) {
		if got++; got == b.N {
			close(all)
		}
	}}
	before := cpu()
	b.ResetTimer()
	close(begin)
	var stop func()
	if library {
		client := paho.NewClient(s.options(conn, make(chan error, 1)))
		client.Connect()
		stop = func() { client.Disconnect(1000) }
	} else {
		ctx, cancel := context.WithCancel(b.Context())
		s.DialConn = func(context.Context, string) (net.Conn, error) { return conn, nil }
		ends.Go(func() { s.listen(ctx, true) })
		stop = cancel
	}
	<-all
	b.StopTimer()
	b.ReportMetric(float64(cpu()-before)/float64(b.N), "cpu-ns/op")
	stop()
	conn.Close()
	ends.Wait()
}

// feed is a broker that accepts the connection and delivers n messages, as many as the window
// allows in one write.
func feed(conn net.Conn, n, window int) {
	pk := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 1}, PacketID: 1,
		TopicName: "fleets/meters/meters-12345/telemetry", Payload: make([]byte, 150)}
	one := encoded(4, pk)
	buf := make([]byte, 4096)
	if _, err := conn.Read(buf); err != nil { // CONNECT
		return
	}
	conn.Write([]byte{0x20, 2, 0, 0})
	var batch []byte
	for sent, acked := 0, 0; acked/4 < n; {
		batch = batch[:0]
		for ; sent < n && sent-acked/4 < window; sent++ {
			batch = append(batch, one...)
		}
		conn.Write(batch)
		k, err := conn.Read(buf)
		if err != nil {
			return
		}
		acked += k
	}
	io.Copy(io.Discard, conn)
}

func cpu() int64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}
