package host

import (
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of CPU time in /proc: sysconf(_SC_CLK_TCK) is 100 on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// Use is the CPU time that a process has used, as proc(5) has it in /proc/PID/stat, and the memory that it holds, in
// bytes, without pages of files (RssFile), which the kernel keeps for whoever maps them: /proc/PID/statm. It is false
// where there is no such process, or no /proc. root is as for [Read].
func Use(root fs.FS, pid int) (cpu time.Duration, memory int64, ok bool) {
	stat := tree{root}.text(fmt.Sprintf("proc/%d/stat", pid))
	afterName := stat[strings.LastIndex(stat, ")")+1:] // the name may hold anything, spaces too
	utime, stime := number(afterName, 11), number(afterName, 12)
	statm := tree{root}.text(fmt.Sprintf("proc/%d/statm", pid))
	resident, ofFiles := number(statm, 1), number(statm, 2)
	if utime < 0 || stime < 0 || resident < 0 || ofFiles < 0 {
		return 0, 0, false
	}
	return time.Duration(utime+stime) * tick, max(0, resident-ofFiles) * int64(os.Getpagesize()), true
}

// number is the nth field of a text, from 0, which is a whole number; -1 if it is not.
func number(text string, nth int) int64 {
	fields := strings.Fields(text)
	if nth >= len(fields) {
		return -1
	}
	n, err := strconv.ParseInt(fields[nth], 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}
