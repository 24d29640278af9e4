//go:build amd64 || arm64

package link

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
)

// A deadline rings at its time: never before, and in the middle well within the millisecond that the
// runtime's timers take.
func TestClockIsPrecise(t *testing.T) {
	near := idle(t)
	defer time.AfterFunc(time.Minute, func() { near.Close() }).Stop()
	late := make([]time.Duration, 0, 101)
	for range cap(late) {
		at := time.Now().Add(1300 * time.Microsecond) // 0.7 ms late by the runtime, which waits for 2 ms
		if err := near.SetReadDeadline(at); err != nil {
			t.Fatal(err)
		}
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
		by := time.Since(at)
		if by < 0 {
			t.Fatalf("%v too early", -by)
		}
		late = append(late, by)
	}
	slices.Sort(late)
	t.Logf("late by p50 %v, p90 %v", late[50], late[90])
	if quick := late[10]; quick > 400*time.Microsecond { // the quick ones: the machine is shared
		t.Errorf("the quickest tenth is up to %v late", quick)
	}
}

// A deadline that is moved, taken away or left behind by a close does not ring.
func TestClockForgets(t *testing.T) {
	near := idle(t)
	soon := func() time.Time { return time.Now().Add(20 * time.Millisecond) }
	for name, change := range map[string]func(){
		"later":  func() { near.SetReadDeadline(time.Now().Add(time.Hour)) },
		"hardly": func() { near.SetReadDeadline(time.Now().Add(math.MaxInt64)) },
		"never":  func() { near.SetReadDeadline(time.Time{}) },
	} {
		near.SetReadDeadline(soon())
		change()
		ended := make(chan error, 1)
		go func() { _, err := near.Read(make([]byte, 1)); ended <- err }()
		select {
		case err := <-ended:
			t.Fatalf("%s: %v", name, err)
		case <-time.After(60 * time.Millisecond):
		}
		near.SetReadDeadline(time.Unix(1, 0))
		if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
	}
	near.SetReadDeadline(soon())
	near.Close()
	if s := near.(*socket); s.alarm.prev != nil {
		t.Error("a closed socket is in the wheel")
	}
	if near.SetReadDeadline(soon()) == nil {
		t.Error("a closed socket takes a deadline")
	}
}

// One socket alone is woken too, with nobody else's deadline to help, from the near ring and from the far one.
func TestClockRingsForOne(t *testing.T) {
	near := idle(t)
	defer time.AfterFunc(time.Minute, func() { near.Close() }).Stop()
	r := rand.New(rand.NewPCG(1, 1))
	waits := []time.Duration{1100 * time.Millisecond, 2100 * time.Millisecond}
	for range 2000 {
		waits = append(waits, time.Duration(r.IntN(1<<r.IntN(20))))
	}
	for _, wait := range waits {
		at := time.Now().Add(wait)
		_ = near.SetReadDeadline(at)
		_, err := near.Read(make([]byte, 1))
		if late := time.Since(at); !errors.Is(err, os.ErrDeadlineExceeded) || late < 0 || late > 5*time.Second {
			t.Fatalf("%v late after %v: %v", late, wait, err)
		}
	}
}

// However close the deadlines of many are to each other and to now, none is forgotten.
func TestClockForgetsNobody(t *testing.T) {
	var wg sync.WaitGroup
	for i := range uint64(20) {
		near := idle(t)
		defer time.AfterFunc(time.Minute, func() { near.Close() }).Stop()
		wg.Go(func() {
			r := rand.New(rand.NewPCG(i, 0))
			for range 1000 {
				at := time.Now().Add(time.Duration(r.IntN(1 << r.IntN(21))))
				_ = near.SetReadDeadline(at)
				_, err := near.Read(make([]byte, 1))
				if late := time.Since(at); !errors.Is(err, os.ErrDeadlineExceeded) || late < 0 || late > 5*time.Second {
					t.Errorf("%v late: %v", late, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// A departure rings once, at its time, when it was last set to and not when it was before.
func TestClockRingsDepartures(t *testing.T) {
	near := idle(t).(*socket)
	rung := make(chan time.Time, 10)
	d := departureOf(near, func() { rung <- time.Now() })
	if _, ok := d.(*departure); !ok {
		t.Fatalf("a %T", d)
	}
	for range 50 {
		d.Reset(time.Hour)
		d.Reset(time.Millisecond)
		at := time.Now().Add(3 * time.Millisecond)
		d.Reset(3 * time.Millisecond)
		if got := <-rung; got.Before(at) {
			t.Fatalf("%v too early", at.Sub(got))
		}
	}
	d.Reset(-time.Hour)
	<-rung
	d.Reset(10 * time.Millisecond)
	d.Stop()
	select {
	case <-rung:
		t.Error("it rings after Stop")
	case <-time.After(50 * time.Millisecond):
	}
	_ = near.Close()
	if d.Reset(0) {
		t.Error("it is set on a clock that has ended")
	}
	if d.Stop(); near.alarm.prev != nil || d.(*departure).prev != nil {
		t.Error("an alarm is left")
	}
}

// Its goroutine and its timer last as long as there are sockets, and come back with them.
func TestClockEndsWithItsSockets(t *testing.T) {
	l := listen(t)
	to := l.Addr().(*net.TCPAddr).AddrPort()
	c := new(clock)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				near, err := dialSocket(t.Context(), c, "tcp", netip.AddrPort{}, to)
				if err != nil {
					t.Error(err)
					return
				}
				at := time.Now().Add(100 * time.Microsecond)
				_ = near.SetReadDeadline(at)
				if _, err := near.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Now().Before(at) {
					t.Error(err)
				}
				_ = near.(*socket).SetLinger(0)
				_ = near.Close()
				_ = near.Close()
			}
		})
	}
	wg.Wait()
	if c.sockets != 0 || c.timer != nil || c.wheel.inNear+c.wheel.inFar != 0 {
		t.Errorf("%d sockets, timer %v, %d and %d alarms", c.sockets, c.timer, c.wheel.inNear, c.wheel.inFar)
	}
	stacks := make([]byte, 1<<20)
	left := func() bool { return bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte("(*clock).run")) }
	for until := time.Now().Add(10 * time.Second); left(); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("the clock's goroutine is left")
		}
	}
}

func idle(t *testing.T) net.Conn {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	near, far := pair(t, l)
	t.Cleanup(func() { near.Close(); far.Close(); l.Close() })
	return near
}
