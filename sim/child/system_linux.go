package child

import (
	"errors"
	"os"
	"strconv"
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

// StepBack lets others go before this process, for good: beside others that are as busy, all of its threads get a
// tenth of their part from then on, and if it has a session of its own, so does that (autogroup, sched(7)). That
// needs no privilege. The process must lead its process group, as a child does; otherwise, and where the kernel
// refuses, all goes on as usual. It may take some seconds where many processes step back: the kernel hears of a
// session ten times a second, of all of them together.
func StepBack() {
	if unix.Getpgrp() != os.Getpid() {
		return
	}
	_ = unix.Setpriority(unix.PRIO_PGRP, 0, behind)
	if session, err := unix.Getsid(0); err != nil || session != os.Getpid() {
		return
	}
	f, err := os.OpenFile("/proc/self/autogroup", os.O_WRONLY, 0)
	if err != nil {
		return
	}
	defer func() { _ = f.Close() }()
	for range 100 {
		if _, err := f.WriteString(strconv.Itoa(behind)); !errors.Is(err, unix.EAGAIN) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

const behind = 10 // nice value, of a thread as of a session
