package cluster

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A disk is full when it is, and not before.
func TestD3_9_DiskFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=512k"); err != nil {
		t.Skipf("mount a small file system: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	if DiskFull(dir) {
		t.Error("full when it is empty")
	}
	_ = os.WriteFile(filepath.Join(dir, "much"), make([]byte, 1<<20), 0o600) // as far as there is room
	if !DiskFull(dir) {
		t.Error("not full when nothing more fits")
	}
}
