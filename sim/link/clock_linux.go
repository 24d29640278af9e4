//go:build amd64 || arm64

package link

import (
	"net"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// clock rings the read deadlines of a dialer's sockets, and when what weather held is to be sent, to some ten
// microseconds: a timerfd in the runtime's poller. The runtime's own timers wait there in whole milliseconds,
// rounded down and then once more for the rest: half a millisecond late in the middle, and a wakening for nothing each.
//
// The poller is asked only when no goroutine is ready, but the runtime's timers before each one runs. So
// there is one of these behind the timerfd, for a process that is never idle: a millisecond later, so that an
// idle one does not wait for it.
//
// While there are sockets it has one goroutine. The zero clock is ready.
type clock struct {
	mu      sync.Mutex
	sockets int
	epoch   time.Time
	wheel   wheel
	armed   time.Duration // when the timer goes off; zero is never
	timer   *os.File      // nil while there are no sockets
	fd      uintptr       // the timer's
	second  *time.Timer   // the runtime's
}

// behind is how much later the second timer goes off.
const behind = time.Millisecond

// enter makes s one of the clock's sockets. If the kernel gives no timer, its deadlines are the runtime's.
func (c *clock) enter(s *socket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sockets == 0 && !c.start() {
		return
	}
	c.sockets++
	s.clock, s.alarm.owner = c, s
}

func (c *clock) start() bool {
	const monotonic = 1 // CLOCK_MONOTONIC
	fd, _, errno := syscall.RawSyscall(syscall.SYS_TIMERFD_CREATE, monotonic, syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if errno != 0 {
		return false
	}
	timer := os.NewFile(fd, "timerfd")
	raw, err := timer.SyscallConn()
	if err != nil || timer.SetReadDeadline(time.Time{}) != nil { // the poller did not take it
		_ = timer.Close()
		return false
	}
	if c.epoch.IsZero() {
		c.epoch = time.Now()
	}
	c.timer, c.fd, c.armed = timer, fd, 0
	c.second = time.AfterFunc(time.Hour, func() { c.ring(timer) })
	go c.run(timer, raw)
	return true
}

// leave is for a socket that is about to close. The last one's ends run, and waits for that.
func (c *clock) leave(s *socket) {
	if timer := c.without(s); timer != nil {
		_ = timer.Close() // without the lock, which run may want before it sees that
	}
}

// without forgets s, and gives up the timer if there are no sockets any more.
func (c *clock) without(s *socket) (timer *os.File) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	c.wheel.clear(&s.alarm)
	if c.sockets--; c.sockets == 0 {
		timer, c.timer = c.timer, nil
		c.second.Stop()
	}
	return timer
}

// run rings whenever the timer goes off, which is an edge to the poller: the timer is set anew then, not
// read. All of that is one Read, because each new one would forget an edge that came just before it.
func (c *clock) run(timer *os.File, raw syscall.RawConn) {
	_ = raw.Read(func(uintptr) bool { return !c.ring(timer) })
}

// ring rings what is due, and sets the timers anew; false if timer is not the clock's any more.
func (c *clock) ring(timer *os.File) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer != timer {
		return false
	}
	c.wheel.advance(time.Since(c.epoch), expire)
	c.armed = 0
	if at, ok := c.wheel.next(); ok {
		c.arm(at)
	}
	return true
}

func expire(a *alarm) {
	if a.ring != nil {
		go a.ring()
		return
	}
	_ = a.owner.pass(true) // it fails when the socket is closed
}

// arm sets the timers to go off by then, or at once if that has passed.
func (c *clock) arm(at time.Duration) {
	if c.armed != 0 && c.armed <= at {
		return
	}
	c.armed = at
	left := max(at-time.Since(c.epoch), 1)
	c.second.Reset(min(left, time.Hour) + behind)                        // not beyond what can be said: rung early, it is set anew
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

// departure is an alarm of the clock of a socket, while that is open.
type departure struct {
	alarm
	clock *clock
}

// departureOf is what calls send, in a goroutine of its own, when something that goes to conn is due.
func departureOf(conn net.Conn, send func()) timer {
	if s, ok := conn.(*socket); ok && s.clock != nil {
		return &departure{alarm{ring: send}, s.clock}
	}
	return afterFunc(send)
}

// Reset implements timer.
func (d *departure) Reset(in time.Duration) bool {
	c := d.clock
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wheel.clear(&d.alarm)
	if c.timer == nil {
		return false // the last socket is closed
	}
	due := time.Since(c.epoch) + max(in, 0)
	c.wheel.set(&d.alarm, due)
	c.arm(due)
	return true
}

// Stop implements timer.
func (d *departure) Stop() bool {
	d.clock.mu.Lock()
	defer d.clock.mu.Unlock()
	d.clock.wheel.clear(&d.alarm)
	return true
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
