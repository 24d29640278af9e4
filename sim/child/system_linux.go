package child

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// dieWithParent makes the kernel kill the child when the thread that started it ends, also while
// the child is stopped and cannot see the end of its standard input.
func dieWithParent(apart bool) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: !apart, Setsid: apart, Pdeathsig: syscall.SIGKILL}
}

// widen asks for a pipe of n bytes.
func widen(pipe *os.File, n int) {
	_, _ = unix.FcntlInt(pipe.Fd(), unix.F_SETPIPE_SZ, n) // Fd makes it blocking, which is as good here
}

// batch puts this thread, and what it executes, under SCHED_BATCH (sched(7)). It needs no privilege; if
// it fails all goes on as usual.
func batch() { _ = unix.SchedSetAttr(0, &unix.SchedAttr{Policy: unix.SCHED_BATCH}, 0) }
