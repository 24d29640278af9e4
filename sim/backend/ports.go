package backend

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
)

// A service keeps its port while it is down. A port of the ephemeral range would not be safe then:
// the kernel may give it to a client as its source port, which keeps the service from coming back,
// and a TCP client on loopback that happens to get the port it dials connects to itself. So
// "port 0" means a free port outside that range.

// portTries bounds the search; then the kernel chooses.
const portTries = 64

// listenFixed listens on address with listen. Port 0 is replaced by a free fixed port.
func listenFixed[L any](address string, listen func(address string) (L, error)) (L, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		var none L
		return none, fmt.Errorf("listen: %w", err)
	}
	if port == "0" {
		ephemeral, _ := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range") // Linux only
		if lo, hi := fixedPorts(string(ephemeral)); lo < hi {
			for range portTries {
				p := lo + rand.IntN(hi-lo)
				if l, err := listen(net.JoinHostPort(host, strconv.Itoa(p))); err == nil {
					return l, nil
				}
			}
		}
	}
	l, err := listen(address)
	if err != nil {
		return l, fmt.Errorf("listen: %w", err)
	}
	return l, nil
}

// fixedPorts returns the ports [lo, hi) to choose from, given the kernel's "first last" range of
// ephemeral ones, or 0, 0 when that leaves too few. Without a range it assumes IANA's, from 49152.
func fixedPorts(ephemeral string) (lo, hi int) {
	const lowest, highest, few = 10_000, 65_535, 1_000
	first, last := 49_152, highest
	if f := strings.Fields(ephemeral); len(f) == 2 {
		a, errA := strconv.Atoi(f[0])
		b, errB := strconv.Atoi(f[1])
		if errA == nil && errB == nil && 0 < a && a <= b && b <= highest {
			first, last = a, b
		}
	}
	if first-lowest >= few {
		return max(lowest, first-10_000), first
	}
	if highest-last >= few {
		return last + 1, highest
	}
	return 0, 0
}
