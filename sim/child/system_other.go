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

// StepBack lets others go before this process, where that is known how.
func StepBack() {}
