package child

import (
	"errors"
	"os"
	"syscall"
	"time"

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

// StepBack lets others go before this process, for good: all of its threads get the lowest priority, and if it
// has a session of its own, so does that (autogroup, sched(7)). That needs no privilege. The process must lead
// its process group, as a child does; otherwise, and where the kernel refuses, all goes on as usual. It may take
// some seconds where many processes step back: the kernel hears of a session ten times a second, of all of them
// together.
func StepBack() {
	if unix.Getpgrp() != os.Getpid() {
		return
	}
	_ = unix.Setpriority(unix.PRIO_PGRP, 0, lowest)
	if session, err := unix.Getsid(0); err != nil || session != os.Getpid() {
		return
	}
	f, err := os.OpenFile("/proc/self/autogroup", os.O_WRONLY, 0)
	if err != nil {
		return
	}
	defer func() { _ = f.Close() }()
	for range 100 {
		if _, err := f.WriteString("19"); !errors.Is(err, unix.EAGAIN) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

const lowest = 19 // priority, of a thread as of a session
