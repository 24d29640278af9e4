package backend

import (
	"net"

	"golang.org/x/sys/unix"
)

// enlarge asks for a receive buffer of n bytes: past rmem_max if the process may.
func enlarge(c *net.UDPConn, n int) {
	_ = c.SetReadBuffer(n)
	if raw, err := c.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, n)
		})
	}
}
