package link

import (
	"net/netip"
	"runtime"
)

const (
	// The ports that devices call from. Services listen below.
	firstPort = 16_384
	lastPort  = 65_535
	ports     = lastPort + 1 - firstPort

	// block is how many ports a device has as long as there are enough, a power of two. Its attempts
	// go round in it; TIME_WAIT lasts 60 s on Linux, and no device calls eight times in that.
	block = 8

	// maxAddresses bounds what is used of a prefix: enough for six thousand million devices.
	maxAddresses = 1 << 20
)

// Sources are the addresses that the devices of a plan call from. The zero value leaves addresses
// and ports to the kernel.
type Sources struct {
	Prefixes []netip.Prefix // of this machine's addresses; a single one is a prefix of all its bits
	Devices  uint64         // in the plan: so many need a block each
	Spread   bool           // over all addresses, however few would do
}

// Loopback are sources for a target on 127.0.0.1: addresses of 127/8 that nothing else uses, as many
// as the devices need. Only Linux has them; elsewhere the kernel chooses.
func Loopback(devices uint64) Sources {
	if runtime.GOOS != "linux" {
		return Sources{}
	}
	return Sources{Prefixes: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{127, 16, 0, 0}), 12)}, Devices: devices}
}

// SourcesFor are the sources of a fleet that dials endpoint, "host:port": [Loopback] if that is an
// IPv4 loopback address, else those that the user gave, over all of which devices are spread.
func SourcesFor(endpoint string, devices uint64, given []netip.Prefix) Sources {
	if at, err := netip.ParseAddrPort(endpoint); len(given) == 0 && err == nil && at.Addr().Is4() && at.Addr().IsLoopback() {
		return Loopback(devices)
	}
	if len(given) == 0 {
		return Sources{}
	}
	return Sources{Prefixes: given, Devices: devices, Spread: true}
}

// Of is where the device with this number in the whole plan calls from, the attempt-th time. It is a
// pure function: any process finds the same. Once the addresses have fewer ports than there are
// devices, blocks shrink, down to one port, and then devices share them.
func (s Sources) Of(index uint64, attempt int) netip.AddrPort {
	addresses, size := s.room()
	if addresses == 0 {
		return netip.AddrPort{}
	}
	slots := uint64(ports / size)
	a, slot := index%addresses, index/addresses%slots
	port := firstPort + slot*uint64(size) + uint64(attempt)%uint64(size)
	return netip.AddrPortFrom(s.address(a), uint16(port))
}

// room is how many addresses are in use, and how many ports a device has.
func (s Sources) room() (addresses uint64, size int) {
	for _, p := range s.Prefixes {
		addresses += count(p)
	}
	if addresses == 0 {
		return 0, 0
	}
	for size = block; size > 1 && addresses*uint64(ports/size) < s.Devices; size /= 2 {
	}
	if need := (s.Devices + uint64(ports/size) - 1) / uint64(ports/size); !s.Spread {
		addresses = min(addresses, max(need, 1))
	}
	return addresses, size
}

func count(p netip.Prefix) uint64 {
	if host := p.Addr().BitLen() - p.Bits(); host < 20 {
		return 1 << host
	}
	return maxAddresses
}

// address is the i-th of all prefixes'.
func (s Sources) address(i uint64) netip.Addr {
	for _, p := range s.Prefixes {
		n := count(p)
		if i >= n {
			i -= n
			continue
		}
		b := p.Masked().Addr().AsSlice()
		for at := len(b) - 1; at >= 0 && i > 0; at-- {
			i += uint64(b[at])
			b[at] = byte(i)
			i >>= 8
		}
		a, _ := netip.AddrFromSlice(b)
		return a
	}
	return netip.Addr{}
}

// step is the n-th source to try after at: round in the block that its port is of.
func step(at netip.AddrPort, n int) netip.AddrPort {
	if at.Port() < firstPort {
		return at // not of ours
	}
	in := (int(at.Port()) - firstPort + n) % block
	return netip.AddrPortFrom(at.Addr(), at.Port()-uint16((int(at.Port())-firstPort)%block)+uint16(in))
}
