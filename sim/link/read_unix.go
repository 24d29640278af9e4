//go:build unix && (!linux || (!amd64 && !arm64))

package link

import "syscall"

// readNow reads once from a descriptor that does not block. The error is a syscall.Errno.
func readNow(fd uintptr, b []byte) (int, error) {
	for {
		if n, err := syscall.Read(int(fd), b); err != syscall.EINTR {
			return n, err
		}
	}
}
