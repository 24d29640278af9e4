package host

import (
	"bufio"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// Listener is a process that listens on a TCP port of this machine.
type Listener struct {
	PID       int
	SoftFiles uint64 // how many files it may have open; most brokers do not raise their own limit
}

// FindListener looks in root for the process that listens on a TCP port. It reports false if there is
// none, or if it belongs to somebody else and we are not root.
func FindListener(root fs.FS, port int) (Listener, bool) {
	inodes := make(map[string]bool)
	for _, table := range []string{"proc/net/tcp", "proc/net/tcp6"} {
		listening(root, table, port, inodes)
	}
	if len(inodes) == 0 {
		return Listener{}, false
	}
	processes, _ := fs.ReadDir(root, "proc")
	for _, p := range processes {
		pid, err := strconv.Atoi(p.Name())
		if err != nil {
			continue
		}
		dir := path.Join("proc", p.Name(), "fd")
		files, _ := fs.ReadDir(root, dir)
		for _, f := range files {
			if link, err := fs.ReadLink(root, path.Join(dir, f.Name())); err == nil && inodes[link] {
				soft, _ := openFiles(tree{root}.text(path.Join("proc", p.Name(), "limits")))
				return Listener{pid, soft}, true
			}
		}
	}
	return Listener{}, false
}

// listening adds the sockets of table that listen on port, as /proc/PID/fd names them.
func listening(root fs.FS, table string, port int, inodes map[string]bool) {
	const listen = "0A"
	f, err := root.Open(table)
	if err != nil {
		return
	}
	defer f.Close()
	suffix := fmt.Sprintf(":%04X", port)
	for lines := bufio.NewScanner(f); lines.Scan(); { // it has a line for every connection
		w := strings.Fields(lines.Text())
		if len(w) > 9 && w[3] == listen && strings.HasSuffix(w[1], suffix) {
			inodes["socket:["+w[9]+"]"] = true
		}
	}
}

// Examine holds what a target's process may have open against the TCP connections it is to get.
func (p Listener) Examine(connections int) Finding {
	f := Finding{
		Limit: fmt.Sprintf("descriptors of the target, process %d", p.PID), Is: count(p.SoftFiles), Allows: count(p.SoftFiles) + " connections",
		Needs: count(uint64(connections)), Verdict: judge(uint64(connections), p.SoftFiles),
	}
	if f.Verdict != OK {
		n := raise(uint64(connections) + Reserve)
		f.Mend = fmt.Sprintf("prlimit --pid %d --nofile=%s:%s (systemd: LimitNOFILE=%s), or more endpoints: --target A,B", p.PID, n, n, n)
	}
	return f
}
