package backend

import (
	"bytes"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// enlarge asks for a receive buffer of n bytes: past rmem_max if the process may.
func enlarge(fd uintptr, n int) {
	_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, n)
	_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, n)
}

// standsStill reports whether a signal has stopped a process.
func standsStill(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	i := bytes.LastIndexByte(b, ')') // its name may hold anything
	return err == nil && i >= 0 && len(b) > i+2 && b[i+2] == 'T'
}
