//go:build unix && !linux

package child

import (
	"os"
	"syscall"
)

func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func widen(*os.File, int) {}

func batch() {}
