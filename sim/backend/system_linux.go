package backend

import (
	"net"
	"os"
	"syscall"

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

// dieWithParent makes the kernel kill the child when the thread that started it ends, also while
// the child is stopped and cannot see the end of its standard input. The child leads a process
// group of its own, so that ^C reaches the parent alone.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// widen asks for a pipe of n bytes.
func widen(pipe *os.File, n int) {
	_, _ = unix.FcntlInt(pipe.Fd(), unix.F_SETPIPE_SZ, n) // Fd makes it blocking, which is as good here
}
