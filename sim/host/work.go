package host

import (
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"
)

// Work returns how long the threads of a process have run on a core so far, and how long they were ready to run but
// waited for one: the first two figures of schedstat (the kernel's sched-stats.rst), of the threads that there are now.
// It returns false where the system does not tell, or the process has ended.
func Work(root fs.FS, pid int) (ran, waited time.Duration, ok bool) {
	t := tree{root}
	threads := path.Join("proc", strconv.Itoa(pid), "task")
	list, err := fs.ReadDir(root, threads)
	if err != nil {
		return 0, 0, false
	}
	for _, thread := range list {
		f := strings.Fields(t.text(path.Join(threads, thread.Name(), "schedstat")))
		if len(f) < 2 {
			continue // it has just ended
		}
		r, err1 := strconv.ParseInt(f[0], 10, 64)
		w, err2 := strconv.ParseInt(f[1], 10, 64)
		if err1 != nil || err2 != nil {
			return 0, 0, false
		}
		ran, waited, ok = ran+time.Duration(r), waited+time.Duration(w), true
	}
	return ran, waited, ok
}
