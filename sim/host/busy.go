package host

import (
	"io/fs"
	"strconv"
	"strings"
	"time"
)

// Busy returns how long the cores of this machine were busy since it started, and all the time that they had:
// the first line of proc_stat(5), whose unit is 10 ms. Time that a hypervisor gave to others is busy. Both are 0
// where there is no /proc.
func Busy(root fs.FS) (used, all time.Duration) {
	const idle, iowait, guest = 3, 4, 8 // the time of guests is in that of users already
	line, _, _ := strings.Cut(tree{root}.text("proc/stat"), "\n")
	for i, word := range strings.Fields(strings.TrimPrefix(line, "cpu ")) {
		ticks, err := strconv.ParseInt(word, 10, 64)
		if err != nil || i >= guest {
			break
		}
		t := time.Duration(ticks) * 10 * time.Millisecond
		all += t
		if i != idle && i != iowait {
			used += t
		}
	}
	return used, all
}
