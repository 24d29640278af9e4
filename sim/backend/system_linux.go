package backend

import "golang.org/x/sys/unix"

// enlarge asks for a receive buffer of n bytes: past rmem_max if the process may.
func enlarge(fd uintptr, n int) {
	_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, n)
	_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, n)
}
