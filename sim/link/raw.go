package link

import (
	"syscall"

	"github.com/myriad-iot/myriad/sim"
)

// Raw is how a conn of datagrams is read in place: without a buffer while nothing comes. Without a RawConn
// it cannot be. It is no interface, and has the socket's own Read, because a device waits in that all its
// life: a frame more on its stack would cost each of them.
type Raw struct {
	syscall.RawConn
	under   *weathered   // nil without weather
	traffic *sim.Traffic // nil: nobody counts
}
