package child

import (
	"os"
	"runtime"
	"strings"
	"syscall"
)

// Reexec executes this process again, with settings that must be there when a process starts. It is for the
// processes of devices and of the far end's subscriber. On success it does not return. The settings:
//
//   - New goroutines have stacks of 2 KiB. Otherwise the runtime makes them as large as stacks were on average
//     at the last garbage collection. While thousands of devices connect, that is two or four times what they
//     need afterwards (see sim/device, Device.Go).
//   - On Linux the scheduling policy is SCHED_BATCH: a thread that wakes does not preempt one that runs, which
//     may be the target's. On a machine that is shared with the target, each preemption costs two context
//     switches for one message. (Measured with 10,000 messages a second through Mosquitto on two cores: half of
//     the responses within 1.2 ms instead of 2.3 ms, nine tenths within 2.7 ms instead of 59 ms.)
//
// On Windows, if it fails, and if GODEBUG in the environment names adaptivestackstart, it returns and changes
// nothing.
func Reexec() {
	const setting = "adaptivestackstart"
	settings := os.Getenv("GODEBUG")
	if runtime.GOOS == "windows" || strings.Contains(settings, setting) {
		return
	}
	if settings != "" {
		settings += ","
	}
	self, err := os.Executable()
	if err != nil || os.Setenv("GODEBUG", settings+setting+"=0") != nil {
		return
	}
	runtime.LockOSThread() // the policy is this thread's, and it is this thread that executes
	batch()
	_ = syscall.Exec(self, os.Args, os.Environ())
	runtime.UnlockOSThread()
}
