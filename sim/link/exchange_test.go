package link

import (
	"net"
	"strings"
	"testing"
	"time"
)

const letters = "abcdefghijklmnopqrstuvwxyz"

// lettersBothWays sends the letters from each end, one at a time and so far apart, and returns what came: up, at the far
// end, and down.
func lettersBothWays(t *testing.T, near *weathered, far net.Conn, apart time.Duration) map[string]string {
	t.Helper()
	heard := map[string]*clockwork{"up": listenTo(far), "down": listenTo(near)}
	_ = near.SetReadDeadline(time.Now().Add(time.Hour))
	for i := range letters {
		write(t, near, letters[i:i+1])
		write(t, far, letters[i:i+1])
		time.Sleep(apart)
	}
	time.Sleep(time.Second)
	came := make(map[string]string)
	for name, c := range heard {
		c.mu.Lock()
		came[name] = strings.Join(c.heard, "")
		c.mu.Unlock()
	}
	return came
}

// echoUDP answers every datagram with itself.
func echoUDP(t testing.TB) string {
	t.Helper()
	s, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	go func() {
		b := make([]byte, 2048)
		for {
			n, from, err := s.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = s.WriteTo(b[:n], from)
		}
	}()
	return s.LocalAddr().String()
}
