//go:build unix && !linux

package backend

import "syscall"

func enlarge(fd uintptr, n int) {
	_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, n)
}

// standsStill is not known here.
func standsStill(int) bool { return false }
