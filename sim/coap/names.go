package coap

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// names are the host names in the endpoints of a dialer. A conversation has the number of its own, which is in
// two bytes that its device has anyway. The zero value has none; any goroutine may use it.
type names struct {
	mu   sync.Mutex
	list atomic.Pointer[[]string] // copied when it grows: it is read for each message
}

// maxNames is how many host names a dialer tells apart.
const maxNames = 1<<16 - 1

// number is the number of the host name in an endpoint, from 1. It is 0 of an address, of which a request says
// nothing (RFC 7252 section 6.4), and of a name that cannot be an option.
func (n *names) number(endpoint string) uint16 {
	host, _, err := net.SplitHostPort(endpoint)
	if _, bad := netip.ParseAddr(host); err != nil || bad == nil || host == "" || len(host) > maxOptionValue {
		return 0
	}
	host = strings.ToLower(host)
	n.mu.Lock()
	defer n.mu.Unlock()
	var have []string
	if p := n.list.Load(); p != nil {
		have = *p
	}
	i := slices.Index(have, host)
	if i < 0 {
		if i = len(have); i == maxNames {
			return 0
		}
		have = append(slices.Clone(have), host)
		n.list.Store(&have)
	}
	return uint16(i + 1)
}

// of is the name with a number, "" of 0.
func (n *names) of(number uint16) string {
	if number == 0 {
		return ""
	}
	return (*n.list.Load())[number-1]
}

// compose makes the message that s.ask says, to this peer: with Uri-Host where it was given by name (RFC 7252
// section 5.10.1).
func (c *dialogue) compose(s *scratch) error {
	s.host = c.d.names.of(c.host)
	return c.d.compose(s)
}
