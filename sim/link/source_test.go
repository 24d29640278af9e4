package link

import (
	"net"
	"net/netip"
	"runtime"
	"syscall"
	"testing"

	"errors"

	"github.com/myriad-iot/myriad/sim"
)

func prefixes(list ...string) (p []netip.Prefix) {
	for _, s := range list {
		p = append(p, netip.MustParsePrefix(s))
	}
	return p
}

func TestSourcesOf(t *testing.T) {
	for name, c := range map[string]struct {
		s       Sources
		index   uint64
		attempt int
		want    string
	}{
		"kernel's choice":       {Sources{}, 7, 0, "invalid AddrPort"},
		"first":                 {Loopback(1000), 0, 0, "127.16.0.0:16384"},
		"second":                {Loopback(1000), 1, 0, "127.16.0.0:16392"},
		"an attempt":            {Loopback(1000), 1, 3, "127.16.0.0:16395"},
		"round":                 {Loopback(1000), 1, 8, "127.16.0.0:16392"},
		"two addresses":         {Loopback(6145), 1, 0, "127.16.0.1:16384"},
		"a million":             {Loopback(1_000_000), 999_999, 0, "127.16.0.157:65456"},
		"given, spread":         {SourcesFor("192.0.2.1:1883", 10, prefixes("10.0.0.5/32", "10.0.1.254/31")), 5, 0, "10.0.1.255:16392"},
		"given, for loopback":   {SourcesFor("127.0.0.1:1883", 10, prefixes("127.0.0.1/32")), 1, 0, "127.0.0.1:16392"},
		"IPv6":                  {SourcesFor("[2001:db8::1]:1", 10, prefixes("2001:db8::/64")), 257, 0, "[2001:db8::101]:16384"},
		"blocks of half":        {SourcesFor("192.0.2.1:1", 6145, prefixes("10.0.0.5/32")), 1, 5, "10.0.0.5:16389"},
		"more than ports":       {SourcesFor("192.0.2.1:1", 100_000, prefixes("10.0.0.5/32")), 49_153, 5, "10.0.0.5:16385"},
		"elsewhere, none given": {SourcesFor("192.0.2.1:1", 10, nil), 1, 0, "invalid AddrPort"},
		"a name":                {SourcesFor("localhost:1", 10, nil), 1, 0, "invalid AddrPort"},
	} {
		if runtime.GOOS != "linux" && c.s.Devices == 0 {
			continue
		}
		if got := c.s.Of(c.index, c.attempt).String(); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// No two devices of a plan share a port, whatever their attempts.
func TestSourcesAreDistinct(t *testing.T) {
	for _, s := range []Sources{
		SourcesFor("127.0.0.1:1883", 20_000, nil),
		SourcesFor("192.0.2.1:1883", 20_000, prefixes("10.0.0.0/31", "10.9.0.0/32")),
		SourcesFor("192.0.2.1:1883", 20_000, prefixes("10.0.0.0/32")),
	} {
		owner := map[netip.AddrPort]uint64{}
		for i := range s.Devices {
			for attempt := range 2 * block {
				at := s.Of(i, attempt)
				if at.Port() < firstPort {
					t.Fatalf("%v: port of a service", at)
				}
				if o, ok := owner[at]; ok && o != i {
					t.Fatalf("%v: devices %d and %d share %v", s, o, i, at)
				}
				owner[at] = i
			}
		}
	}
}

func TestStep(t *testing.T) {
	at := netip.MustParseAddrPort("127.16.0.0:16390")
	seen := map[netip.AddrPort]bool{}
	for n := range block {
		seen[step(at, n)] = true
	}
	for p := uint16(16384); p < 16392; p++ {
		if !seen[netip.AddrPortFrom(at.Addr(), p)] {
			t.Errorf("%d was not tried: %v", p, seen)
		}
	}
	if own := netip.MustParseAddrPort("127.0.0.1:1000"); step(own, 3) != own {
		t.Error("a port that is not ours was left")
	}
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// A device calls from its own port, again and again; a port that is taken is left for the next one of
// the block, and only a block that is all taken is an error.
func TestDialFromSource(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("127.0.0.1 is the only address of loopback")
	}
	l := listen(t)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer func() { _ = c.Close() }()
		}
	}()
	source := netip.MustParseAddrPort("127.17.200.1:40000")
	c := &sim.Caller{Endpoint: l.Addr().String(), Source: source}
	d := new(Dialer)
	for n := range block {
		conn, err := d.DialTCP(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if at := conn.LocalAddr().String(); at != step(source, n).String() {
			t.Errorf("call %d came from %s", n, at)
		}
	}
	if _, err := d.DialTCP(t.Context(), c); !errors.Is(err, syscall.EADDRNOTAVAIL) && !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a ninth connection from eight ports: %v", err)
	}
	for n := range block {
		conn, err := d.DialUDP(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if at := conn.LocalAddr().String(); at != step(source, n).String() {
			t.Errorf("UDP call %d came from %s", n, at)
		}
	}
	if _, err := d.DialUDP(t.Context(), c); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a ninth UDP socket on eight ports: %v", err)
	}
}
