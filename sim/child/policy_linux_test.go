package child

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// policies are the scheduling policies of this process's first thread and of its last.
func policies() string {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err.Error()
	}
	var list [2]uint32
	for i, name := range []string{threads[0].Name(), threads[len(threads)-1].Name()} {
		var tid int
		_, _ = fmt.Sscan(name, &tid)
		a, err := unix.SchedGetAttr(tid, 0)
		if err != nil {
			return err.Error()
		}
		list[i] = a.Policy
	}
	return fmt.Sprint(list[0], " ", list[1])
}
