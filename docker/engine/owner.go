package engine

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// The labels of every container of Myriad's. A process is known by its machine (host name and
// process namespace), its id and the moment it started: ids are used again.
const (
	labelMark  = "myriad" // "1"
	labelRun   = "myriad.run"
	labelHost  = "myriad.host"
	labelPID   = "myriad.pid"
	labelStart = "myriad.start"
)

// ownerLabels are the labels of what this process creates.
func ownerLabels(run string) map[string]string {
	pid := os.Getpid()
	if run == "" {
		run = strconv.Itoa(pid)
	}
	return map[string]string{
		labelMark:  "1",
		labelRun:   run,
		labelHost:  hostID(),
		labelPID:   strconv.Itoa(pid),
		labelStart: startTime(pid),
	}
}

// orphaned reports whether the owner named by labels is certainly dead, and nobody wants the container kept. An owner on another
// machine or in another process namespace that uses the same engine cannot be asked: it counts as
// alive.
func orphaned(labels map[string]string) bool {
	if labels[labelKept] != "" {
		return false
	}
	if labels[labelHost] != hostID() {
		return false
	}
	pid, err := strconv.Atoi(labels[labelPID])
	if err != nil || pid <= 0 {
		return false
	}
	if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
		return true
	}
	return startTime(pid) != labels[labelStart]
}

func hostID() string {
	name, err := os.Hostname()
	if err != nil {
		name = "localhost"
	}
	if ns, err := os.Readlink("/proc/self/ns/pid"); err == nil {
		name += " " + ns
	}
	return name
}

// startTime is when the process started: the machine's boot and the clock ticks since then (field
// 22 of proc_pid_stat(5)). It is "" where there is no /proc, and for a zombie, which owns nothing.
func startTime(pid int) string {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return ""
	}
	// The command's name, field 2, is in parentheses and may hold spaces and parentheses.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 20 || fields[0] == "Z" {
		return ""
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return fields[19]
	}
	return strings.TrimSpace(string(boot)) + "+" + fields[19]
}
