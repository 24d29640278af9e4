//go:build !linux

package link

import "syscall"

// reuse does nothing: what SO_REUSEADDR allows differs from system to system.
func reuse(_, _ string, _ syscall.RawConn) error { return nil }
