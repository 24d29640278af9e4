package host

import (
	"io/fs"
	"math"
	"path"
	"strconv"
	"strings"
)

// Unlimited is the value of a limit that is not set.
const Unlimited = math.MaxUint64

// Limits are what a machine allows this process. Zero means that it could not be read, which is no
// finding; [Unlimited] means that there is no limit.
type Limits struct {
	SoftFiles, HardFiles uint64 // RLIMIT_NOFILE; the Go runtime raises soft to hard
	FilesPerProcess      uint64 // fs.nr_open: as far as root can raise the hard limit
	FilesOfMachine       uint64 // fs.file-max
	PortFirst, PortLast  uint64 // net.ipv4.ip_local_port_range, both inclusive
	Conntrack            uint64 // net.netfilter.nf_conntrack_max; zero if it is not loaded
	ConntrackUsed        uint64
	Somaxconn            uint64 // net.core.somaxconn
	SYNBacklog           uint64 // net.ipv4.tcp_max_syn_backlog
	TCPMemory            uint64 // bytes: the last figure of net.ipv4.tcp_mem, which is in pages of 4 KiB
	UDPMemory            uint64 // bytes: likewise net.ipv4.udp_mem
	MemoryAvailable      uint64 // bytes: MemAvailable, or what the control group leaves if that is less
	SwapUsed             uint64 // bytes
	CPUs                 float64
	PIDs                 uint64 // the lesser of pids.max and kernel.threads-max
}

// page is the size of a page of tcp_mem and udp_mem, in bytes, on the machines that fleets run on.
const page = 4 << 10

// Read reads the limits from root, which is / or a tree like it. cpus is what the process may use
// without regard to a control group's quota, such as runtime.NumCPU(). Control groups of version 2 count,
// from the process's own up to the root.
func Read(root fs.FS, cpus int) Limits {
	t := tree{root}
	l := Limits{CPUs: float64(cpus)}
	l.SoftFiles, l.HardFiles = openFiles(t.text("proc/self/limits"))
	l.FilesPerProcess = t.number("proc/sys/fs/nr_open")
	l.FilesOfMachine = t.number("proc/sys/fs/file-max")
	if f := t.fields("proc/sys/net/ipv4/ip_local_port_range"); len(f) == 2 {
		l.PortFirst, l.PortLast = f[0], f[1]
	}
	l.Conntrack = t.number("proc/sys/net/netfilter/nf_conntrack_max")
	l.ConntrackUsed = t.number("proc/sys/net/netfilter/nf_conntrack_count")
	l.Somaxconn = t.number("proc/sys/net/core/somaxconn")
	l.SYNBacklog = t.number("proc/sys/net/ipv4/tcp_max_syn_backlog")
	l.TCPMemory = t.pages("proc/sys/net/ipv4/tcp_mem")
	l.UDPMemory = t.pages("proc/sys/net/ipv4/udp_mem")
	memory := meminfo(t.text("proc/meminfo"))
	l.MemoryAvailable = memory["MemAvailable"]
	l.SwapUsed = memory["SwapTotal"] - min(memory["SwapTotal"], memory["SwapFree"])
	l.PIDs = t.number("proc/sys/kernel/threads-max")
	for _, group := range t.groups() {
		l.within(t, group)
	}
	return l
}

// within lowers l to what a control group allows.
func (l *Limits) within(t tree, group string) {
	if limit := t.number(path.Join(group, "memory.max")); limit > 0 && limit != Unlimited {
		left := limit - min(limit, t.number(path.Join(group, "memory.current")))
		l.MemoryAvailable = min(l.MemoryAvailable, left)
	}
	if n := t.number(path.Join(group, "pids.max")); n > 0 && (l.PIDs == 0 || n < l.PIDs) {
		l.PIDs = n
	}
	if f := t.fields(path.Join(group, "cpu.max")); len(f) == 2 && f[0] != Unlimited && f[1] > 0 {
		l.CPUs = min(l.CPUs, float64(f[0])/float64(f[1]))
	}
}

type tree struct{ fs.FS }

func (t tree) text(name string) string {
	// Of t.FS, not of t: os.DirFS reads a file in one call, and a sysctl tells no more than that one.
	b, err := fs.ReadFile(t.FS, name)
	if err != nil {
		return ""
	}
	return string(b)
}

// fields reads numbers; "max" is Unlimited. Anything else in the file makes it unreadable.
func (t tree) fields(name string) []uint64 {
	var list []uint64
	for _, word := range strings.Fields(t.text(name)) {
		n, err := strconv.ParseUint(word, 10, 64)
		if word == "max" {
			n, err = Unlimited, nil
		}
		if err != nil {
			return nil
		}
		list = append(list, n)
	}
	return list
}

func (t tree) number(name string) uint64 {
	if f := t.fields(name); len(f) == 1 {
		return f[0]
	}
	return 0
}

func (t tree) pages(name string) uint64 {
	if f := t.fields(name); len(f) == 3 && f[2] < Unlimited/page {
		return f[2] * page
	}
	return 0
}

// groups lists the directories of the process's control group and of those above it.
func (t tree) groups() []string {
	const mount = "sys/fs/cgroup"
	own := "/"
	for line := range strings.Lines(t.text("proc/self/cgroup")) {
		if p, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			own = path.Clean("/" + p)
		}
	}
	var list []string
	for ; ; own = path.Dir(own) {
		list = append(list, path.Join(mount, own))
		if own == "/" {
			return list
		}
	}
}

// openFiles finds RLIMIT_NOFILE in the text of /proc/PID/limits.
func openFiles(limits string) (soft, hard uint64) {
	for line := range strings.Lines(limits) {
		if rest, ok := strings.CutPrefix(line, "Max open files"); ok {
			if f := strings.Fields(rest); len(f) >= 2 {
				return limit(f[0]), limit(f[1])
			}
		}
	}
	return 0, 0
}

func limit(word string) uint64 {
	if word == "unlimited" {
		return Unlimited
	}
	n, _ := strconv.ParseUint(word, 10, 64)
	return n
}

// meminfo is /proc/meminfo in bytes.
func meminfo(text string) map[string]uint64 {
	m := make(map[string]uint64)
	for line := range strings.Lines(text) {
		name, rest, _ := strings.Cut(line, ":")
		if f := strings.Fields(rest); len(f) == 2 && f[1] == "kB" {
			kib, _ := strconv.ParseUint(f[0], 10, 64)
			m[name] = kib << 10
		}
	}
	return m
}
