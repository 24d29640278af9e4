//go:build amd64 || arm64

package link

import (
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// clock rings the read deadlines of all sockets of the process, to some ten microseconds: a timerfd in the
// runtime's poller. The runtime's own timers wait there in whole milliseconds, rounded down and then once
// more for the rest: half a millisecond late in the middle, and a wakening for nothing each.
//
// It has one goroutine, which lives as long as the process.
type clock struct {
	epoch time.Time
	fd    uintptr
	timer *os.File

	mu    sync.Mutex
	wheel wheel
	armed time.Duration // when the timer goes off; zero is never
}

// alarms is the process's clock, nil if the kernel gives it none: then deadlines are the runtime's.
var alarms = sync.OnceValue(newClock)

func newClock() *clock {
	const monotonic = 1 // CLOCK_MONOTONIC
	fd, _, errno := syscall.RawSyscall(syscall.SYS_TIMERFD_CREATE, monotonic, syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if errno != 0 {
		return nil
	}
	c := &clock{epoch: time.Now(), fd: fd, timer: os.NewFile(fd, "timerfd")}
	raw, err := c.timer.SyscallConn()
	if err != nil || c.timer.SetReadDeadline(time.Time{}) != nil { // the poller did not take it
		_ = c.timer.Close()
		return nil
	}
	go c.run(raw)
	return c
}

// run rings whenever the timer goes off, which is an edge to the poller: the timer is set anew then, not
// read. All of that is one Read, because each new one would forget an edge that came just before it.
func (c *clock) run(raw syscall.RawConn) {
	ring := func(a *alarm) { _ = a.owner.pass(true) } // it fails when the socket is closed
	_ = raw.Read(func(uintptr) bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.wheel.advance(time.Since(c.epoch), ring)
		c.armed = 0
		if at, ok := c.wheel.next(); ok {
			c.arm(at)
		}
		return false
	})
}

// arm sets the timer to go off by then, or at once if that has passed.
func (c *clock) arm(at time.Duration) {
	if c.armed != 0 && c.armed <= at {
		return
	}
	c.armed = at
	left := max(at-time.Since(c.epoch), 1)
	value := [2]syscall.Timespec{1: syscall.NsecToTimespec(int64(left))} // no interval
	_, _, _ = syscall.RawSyscall6(syscall.SYS_TIMERFD_SETTIME, c.fd, 0, uintptr(unsafe.Pointer(&value)), 0, 0, 0)
}

// setReadDeadline is the socket's. The poller hears of a deadline only when it has passed.
func (c *clock) setReadDeadline(s *socket, at time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.closed {
		return os.ErrClosed
	}
	c.wheel.clear(&s.alarm)
	due := at.Sub(c.epoch)
	passed := !at.IsZero() && due <= time.Since(c.epoch)
	if err := s.pass(passed); err != nil || passed || at.IsZero() {
		return err
	}
	c.wheel.set(&s.alarm, due)
	c.arm(due)
	return nil
}

// forget is for a socket that is about to close.
func (c *clock) forget(s *socket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.closed = true
	c.wheel.clear(&s.alarm)
}

// pass tells the poller whether the socket's read deadline has passed. The clock's lock is held.
func (s *socket) pass(passed bool) error {
	if passed == s.passed {
		return nil
	}
	s.passed = passed
	if passed {
		return s.file.SetReadDeadline(time.Unix(1, 0))
	}
	return s.file.SetReadDeadline(time.Time{})
}
