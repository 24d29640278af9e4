package child

import (
	"fmt"
	"os"
	"strings"

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

// weights are the nice values of this process's first thread, of its last, and of its session.
func weights() string {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err.Error()
	}
	said := ""
	for _, name := range []string{threads[0].Name(), threads[len(threads)-1].Name()} {
		var tid int
		_, _ = fmt.Sscan(name, &tid)
		raw, err := unix.Getpriority(unix.PRIO_PROCESS, tid)
		if err != nil {
			return err.Error()
		}
		said += fmt.Sprint(20-raw, " ") // getpriority(2): the call itself counts from 40 down
	}
	session, _ := os.ReadFile("/proc/self/autogroup")
	_, nice, _ := strings.Cut(strings.TrimSpace(string(session)), "nice ")
	return said + nice
}
