package wiretap_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim/internal/wiretap"
)

// echo is a server that gives back what it gets.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan bool)
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(conn, conn)
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return l.Addr().String()
}

// echoUDP is echo for datagrams.
func echoUDP(t *testing.T) string {
	t.Helper()
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan bool)
	go func() {
		defer close(done)
		b := make([]byte, 2048)
		for {
			n, from, err := l.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = l.WriteTo(b[:n], from)
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return l.LocalAddr().String()
}

// exchange sends b through the tap and waits until it comes back.
func exchange(t *testing.T, network, addr string, b []byte) {
	t.Helper()
	conn, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(b); err != nil {
		t.Fatal(err)
	}
	back := make([]byte, len(b))
	if _, err := io.ReadFull(conn, back); err != nil || !bytes.Equal(back, b) {
		t.Fatalf("%v, %d of %d bytes are those sent", err, len(back), len(b))
	}
}

// What is malformed is found: a check that cannot fail would say nothing.
func TestFaultsAreFound(t *testing.T) {
	for name, b := range map[string][]byte{
		"mqtt identifier cut": {0x10, 12, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60, 0, 9},
		"mqtt publish cut":    {0x32, 4, 0, 9, 'a', 'b'},
	} {
		tap, addr := wiretap.TCP(t, echo(t), 1883)
		exchange(t, "tcp", addr, b)
		if found := tap.Faults(); len(found) == 0 {
			t.Errorf("%s: tshark finds nothing wrong", name)
		}
	}
}

// Large streams are recorded whole: tshark reassembles what a segment does not hold.
func TestLargeStream(t *testing.T) {
	payload := strings.Repeat("x", 200_000)
	b := []byte{0x30, 0, 0, 0, 0, 1, 't'}
	n := 3 + len(payload)
	b[1], b[2], b[3] = byte(n)|0x80, byte(n>>7)|0x80, byte(n>>14)
	b = append(b, payload...)
	tap, addr := wiretap.TCP(t, echo(t), 1883)
	exchange(t, "tcp", addr, b)
	if found := tap.Count([]string{"mqtt.len"}); found["mqtt.len"][fmt.Sprint(n)] != 2 { // there and back
		t.Errorf("tshark found %v, want %d twice", found, n)
	}
	if found := tap.Dissect("tcp.analysis.flags", nil); len(found) > 0 {
		t.Errorf("tshark sees a broken stream: %v", found)
	}
}
