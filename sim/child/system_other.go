//go:build unix && !linux

package child

import (
	"os"
	"syscall"
)

func dieWithParent(apart bool) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: !apart, Setsid: apart}
}

func widen(*os.File, int) {}

func batch() {}

// LowerPriority does nothing on this system.
func LowerPriority(int) {}
