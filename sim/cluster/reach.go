package cluster

import (
	"net"
	"net/netip"
	"net/url"
)

// Reachable are the URLs at which workers of other machines can join. A coordinator that listens on all
// addresses has one for each of this machine's; on a machine without a network only itself can join.
func (p *Place) Reachable() []string {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return []string{p.URL}
	}
	var mine []netip.Addr
	for _, a := range addresses {
		if n, err := netip.ParsePrefix(a.String()); err == nil {
			mine = append(mine, n.Addr().Unmap())
		}
	}
	return reachable(p.URL, mine)
}

// reachable puts those of a machine's addresses that others can dial in the place of an address that only
// says "all of them".
func reachable(listening string, mine []netip.Addr) []string {
	u, err := url.Parse(listening)
	if err != nil {
		return []string{listening}
	}
	all, err := netip.ParseAddr(u.Hostname())
	if err != nil || !all.IsUnspecified() {
		return []string{listening}
	}
	var list []string
	at := func(a netip.Addr) { list = append(list, u.Scheme+"://"+net.JoinHostPort(a.String(), u.Port())) }
	for _, a := range mine {
		// A link-local address means something only together with the name of a network interface there.
		if a.IsGlobalUnicast() && (a.Is4() || all.Is6()) {
			at(a)
		}
	}
	if len(list) == 0 {
		if all.Is6() {
			at(netip.IPv6Loopback())
		} else {
			at(netip.AddrFrom4([4]byte{127, 0, 0, 1}))
		}
	}
	return list
}
