// Package bubble runs tests in virtual time, as testing/synctest does, and so that the race detector lives through it.
//
// In Go 1.26 all timers of a bubble share one context of the race detector. Two goroutines of a bubble that find, at
// the same instant on two processors, that a timer which nobody waited for is over, both use it, and the detector ends
// with SIGSEGV (runtime/time.go, unlockAndRun, called by maybeRunChan). It was seen once in some sixty runs of
// sim/fleet's tests. With one processor it cannot happen, and data races are still found: the detector goes by what
// happens before what, not by what really happens at once.
package bubble

import (
	"runtime"
	"testing"
	"testing/synctest"
)

// Test is synctest.Test. Under the race detector f has one processor. A test that is Parallel, or within one, must not
// call it: the number of processors is the whole process's.
func Test(t *testing.T, f func(*testing.T)) {
	t.Helper()
	if Race {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	}
	synctest.Test(t, f)
}
