//go:build unix && (!linux || (!amd64 && !arm64))

package link

import "syscall"

// ReadNow reads once from a descriptor that does not block, in the function of a syscall.RawConn's Read.
// The error is a syscall.Errno.
func ReadNow(fd uintptr, b []byte) (int, error) {
	for {
		if n, err := syscall.Read(int(fd), b); err != syscall.EINTR {
			return n, err
		}
	}
}
