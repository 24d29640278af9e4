package host

import (
	"net"
	"os"
	"strconv"
	"testing"
)

func TestFixedPorts(t *testing.T) {
	cases := []struct {
		first, last uint64
		lo, hi      int
	}{
		{32768, 60999, 22768, 32768},
		{0, 0, 39152, 49152}, // not read
		{1024, 60999, 61000, 65535},
		{15000, 64999, 10000, 15000},
		{1024, 65535, 0, 0},
		{60999, 32768, 39152, 49152},
		{1024, Unlimited, 39152, 49152},
	}
	for _, c := range cases {
		if lo, hi := (Limits{PortFirst: c.first, PortLast: c.last}).FixedPorts(); lo != c.lo || hi != c.hi {
			t.Errorf("%d to %d: %d to %d, want %d to %d", c.first, c.last, lo, hi, c.lo, c.hi)
		}
	}
}

func TestFreePorts(t *testing.T) {
	l := Read(os.DirFS("/"), 1)
	ports, err := FreePorts(20)
	if err != nil {
		t.Fatal(err)
	}
	if len(ports) != 20 {
		t.Errorf("%d ports", len(ports))
	}
	seen := make(map[int]bool)
	for _, port := range ports {
		if !IsFree(port) {
			t.Errorf("port %d is taken", port)
		}
		if seen[port] {
			t.Errorf("port %d twice", port)
		}
		seen[port] = true
		if lo, hi := l.FixedPorts(); lo < hi && l.PortFirst <= uint64(port) && uint64(port) <= l.PortLast {
			t.Errorf("port %d may be taken by an outgoing connection", port)
		}
	}
}

func TestIsFree(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	for _, addr := range []net.Addr{tcp.Addr(), udp.LocalAddr()} {
		_, port, _ := net.SplitHostPort(addr.String())
		if n, _ := strconv.Atoi(port); IsFree(n) {
			t.Errorf("%s %s is free", addr.Network(), addr)
		}
	}
}
