package host

import (
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
)

// portTries bounds a search for a free port.
const portTries = 400

// FixedPorts returns the ports [lo, hi) in which a service can rely on its port, or 0, 0 when the kernel's
// ephemeral range leaves too few. A port of that range is not safe: the kernel may give it to a client as
// its source port, which keeps a service from starting there or from coming back, and a TCP client on
// loopback that happens to get the port it dials connects to itself. Where the range is not known, IANA's,
// from 49152, is assumed.
func (l Limits) FixedPorts() (lo, hi int) {
	const lowest, highest, few = 10_000, 65_535, 1_000
	first, last := 49_152, highest
	if 0 < l.PortFirst && l.PortFirst <= l.PortLast && l.PortLast <= highest {
		first, last = int(l.PortFirst), int(l.PortLast)
	}
	if first-lowest >= few {
		return max(lowest, first-10_000), first
	}
	if highest-last >= few {
		return last + 1, highest
	}
	return 0, 0
}

// FreePorts returns n different ports of 127.0.0.1 that are free now, for TCP and for UDP, and among the
// fixed ones where there are such, so that they are still free when who is to listen there starts.
func FreePorts(n int) ([]int, error) {
	lo, hi := Read(os.DirFS("/"), 1).FixedPorts()
	if lo >= hi {
		lo, hi = 10_000, 65_535
	}
	var ports []int
	seen := make(map[int]bool)
	for range portTries {
		if port := lo + rand.IntN(hi-lo); !seen[port] && IsFree(port) {
			seen[port] = true
			ports = append(ports, port)
		}
		if len(ports) == n {
			return ports, nil
		}
	}
	return nil, errors.New("no free port between " + strconv.Itoa(lo) + " and " + strconv.Itoa(hi))
}

// IsFree says whether nobody has the port of 127.0.0.1, for TCP and for UDP.
func IsFree(port int) bool {
	at := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	tcp, err := net.Listen("tcp", at)
	if err != nil {
		return false
	}
	_ = tcp.Close()
	udp, err := net.ListenPacket("udp", at)
	if err != nil {
		return false
	}
	_ = udp.Close()
	return true
}
