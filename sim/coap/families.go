package coap

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// A name may have addresses of both families, of which only one may be served. TCP tells at once; a datagram that
// goes nowhere tells nothing. So the addresses are tried one after the other as RFC 8305 has it, and the first that
// answers a ping is the peer.
const (
	nextAddress  = 250 * time.Millisecond // RFC 8305 section 5, Connection Attempt Delay
	nextIfProven = 2 * time.Second        // where one has answered before: ACK_TIMEOUT
)

// families remembers which address of a name answered last. The zero value knows none; any goroutine may use it.
type families struct {
	answered sync.Map // endpoint -> netip.AddrPort

	lookup func(ctx context.Context, host string) ([]netip.Addr, error) // nil: the machine's resolver
}

// addresses are those of an endpoint, the best first; nil of one that is an address, or has one address only.
func (f *families) addresses(ctx context.Context, endpoint string) (list []netip.AddrPort, proven bool) {
	host, port, err := net.SplitHostPort(endpoint)
	if _, bad := netip.ParseAddr(host); err != nil || bad == nil || host == "" {
		return nil, false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, false // dialing says what is wrong
	}
	lookup := f.lookup
	if lookup == nil {
		lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	found, err := lookup(ctx, host)
	if err != nil {
		return nil, false
	}
	for _, a := range found {
		if at := netip.AddrPortFrom(a.Unmap(), uint16(n)); !slices.Contains(list, at) {
			list = append(list, at)
		}
	}
	if len(list) < 2 {
		return nil, false
	}
	list = alternate(list)
	if last, ok := f.answered.Load(endpoint); ok {
		if i := slices.Index(list, last.(netip.AddrPort)); i >= 0 {
			return append([]netip.AddrPort{list[i]}, slices.Delete(slices.Clone(list), i, i+1)...), true
		}
	}
	return list, false
}

// alternate puts the families in turn, in the resolver's order otherwise (RFC 8305 section 4).
func alternate(list []netip.AddrPort) (out []netip.AddrPort) {
	var same, other []netip.AddrPort
	for _, a := range list {
		if a.Addr().Is4() == list[0].Addr().Is4() {
			same = append(same, a)
		} else {
			other = append(other, a)
		}
	}
	for i := range max(len(same), len(other)) {
		if i < len(same) {
			out = append(out, same[i])
		}
		if i < len(other) {
			out = append(out, other[i])
		}
	}
	return out
}

// attempt is how the try at one address ended.
type attempt struct {
	c     *Conversation
	facts sim.Facts
	o     sim.Outcome
	at    netip.AddrPort
}

// race dials several addresses of the caller's endpoint, each a while after the one before or when that has failed,
// until one answers. It owns the goroutines of the tries.
func (d *Dialer) race(ctx context.Context, caller *sim.Caller, list []netip.AddrPort, wait time.Duration, watches bool) (*Conversation, sim.Facts, sim.Outcome) {
	trying, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan attempt, len(list))
	start := func(at netip.AddrPort) {
		go func() {
			c, facts, o := d.dialAt(trying, caller, at.String(), watches)
			ended <- attempt{c, facts, o, at}
		}()
	}
	start(list[0])
	timer := time.NewTimer(wait)
	defer timer.Stop()
	var best attempt // of those that failed
	running, next := 1, 1
	for running > 0 {
		var goOn bool
		select {
		case <-timer.C:
			goOn = true
		case a := <-ended:
			running--
			if a.o == sim.OK {
				stop()
				for ; running > 0; running-- { // the others give up at once, or have just been answered too
					if late := <-ended; late.o == sim.OK {
						late.c.Close(false)
					}
				}
				d.families.answered.Store(caller.Endpoint, a.at)
				return a.c, a.facts, sim.OK
			}
			if best.o == sim.OK || !a.o.Local() && (best.o.Local() || best.o == sim.CoAPUnreachable) {
				best = a // no way to one of the addresses says less than silence at another
			}
			goOn = ctx.Err() == nil
		}
		if goOn && next < len(list) {
			start(list[next])
			next, running = next+1, running+1
			timer.Reset(wait)
		}
	}
	d.families.answered.Delete(caller.Endpoint)
	return nil, sim.Facts{}, best.o
}
