package link

import "syscall"

// reuse lets a source address be bound again while a connection of it is in TIME_WAIT. The peer's
// address tells the two apart, and the kernel still refuses what would be the same twice.
func reuse(_, _ string, c syscall.RawConn) error {
	var failed error
	if err := c.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	}); err != nil {
		return err
	}
	return failed
}
