package host

import (
	"os"
	"testing"
	"time"
)

func TestUse(t *testing.T) {
	const line = "7 (a ) b) S 1 7 7 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 9 0 12345 1000000 300 18446744073709551615 1 1 0 0 0\n"
	root := machine(map[string]string{"proc/7/stat": line, "proc/7/statm": "9000 300 120 40 0 80 0\n",
		"proc/8/stat": "8 (x) S 1", "proc/8/statm": "1 1 1", "proc/9/stat": "9", "proc/10/stat": line, "proc/10/statm": "9000 x"})
	cpu, memory, ok := Use(root, 7)
	if !ok || cpu != 2*time.Second || memory != 180*int64(os.Getpagesize()) {
		t.Errorf("%v, %d bytes, %t", cpu, memory, ok)
	}
	for _, pid := range []int{6, 8, 9, 10} {
		if _, _, ok := Use(root, pid); ok {
			t.Errorf("process %d is known", pid)
		}
	}
}
