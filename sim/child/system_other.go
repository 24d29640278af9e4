//go:build unix && !linux

package child

import (
	"os"
	"syscall"
)

func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

func widen(*os.File, int) {}

func batch() {}
