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

// batch puts this thread, and what it executes, under SCHED_BATCH (sched(7)). It needs no privilege; a failure
// changes nothing.
func batch() { _ = unix.SchedSetAttr(0, &unix.SchedAttr{Policy: unix.SCHED_BATCH}, 0) }

// LowerPriority gives this process less CPU than others, for good: it gets nice values so much higher than 0 (see
// [GiveWay] and [Behind]), and so does its session if it leads one (autogroup, sched(7)). It needs no privilege. The
// process must lead its process group, as a child does; otherwise, or if the kernel refuses, nothing changes. It blocks
// for up to ten seconds when many processes do it at once, because the kernel accepts ten such changes a second for all
// sessions together.
func LowerPriority(nice int) {
	if unix.Getpgrp() != os.Getpid() {
		return
	}
	_ = unix.Setpriority(unix.PRIO_PGRP, 0, nice)
	if session, err := unix.Getsid(0); err != nil || session != os.Getpid() {
		return
	}
	f, err := os.OpenFile("/proc/self/autogroup", os.O_WRONLY, 0)
	if err != nil {
		return
	}
	defer func() { _ = f.Close() }()
	for range 100 {
		if _, err := f.WriteString(strconv.Itoa(nice)); !errors.Is(err, unix.EAGAIN) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}
