package backend

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"

	"github.com/myriad-iot/myriad/sim/host"
)

// portTries bounds the search; then the kernel chooses.
const portTries = 64

// listenFixed listens on address with listen. Port 0 is replaced by a free one of [host.Limits.FixedPorts]:
// a service keeps its port while it is down.
func listenFixed[L any](address string, listen func(address string) (L, error)) (L, error) {
	at, port, err := net.SplitHostPort(address)
	if err != nil {
		var none L
		return none, fmt.Errorf("listen: %w", err)
	}
	if port == "0" {
		if lo, hi := host.Read(os.DirFS("/"), 1).FixedPorts(); lo < hi {
			for range portTries {
				p := lo + rand.IntN(hi-lo)
				if l, err := listen(net.JoinHostPort(at, strconv.Itoa(p))); err == nil {
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
