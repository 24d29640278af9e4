package peers

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
)

// Resident is this process's resident memory in bytes, after so many garbage collections: in each a stack
// shrinks by half, as in a longer run. It is 0 where there is no /proc.
func Resident(collections int) float64 {
	for range collections {
		runtime.GC()
	}
	debug.FreeOSMemory()
	text, _ := os.ReadFile("/proc/self/statm")
	var total, pages float64
	_, _ = fmt.Sscan(string(text), &total, &pages)
	return pages * float64(os.Getpagesize())
}
