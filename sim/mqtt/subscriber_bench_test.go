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

	"github.com/mochi-mqtt/server/v2/packets"
)

// BenchmarkSubscriber is the cost of a received QoS 1 message over TCP loopback, both ends in this process, from
// a broker with a window of so many unacknowledged messages. cpu-ns/op is user and system time.
func BenchmarkSubscriber(b *testing.B) {
	for _, window := range []int{20, 1000} {
		b.Run(fmt.Sprintf("window=%d", window), func(b *testing.B) { receive(b, window) })
	}
}

func receive(b *testing.B, window int) {
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
	got, all := 0, make(chan struct{})
	s := &Subscriber{Endpoint: "bench", ClientID: "bench", OnMessage: func([]byte, []byte, time.Time, bool, bool) {
		if got++; got == b.N {
			close(all)
		}
	}}
	before := cpu()
	b.ResetTimer()
	close(begin)
	ctx, stop := context.WithCancel(b.Context())
	s.DialConn = func(context.Context, string) (net.Conn, error) { return conn, nil }
	ends.Go(func() { s.listen(ctx, true) })
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
