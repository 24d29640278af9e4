package host

import (
	"fmt"
	"strconv"
)

// Verdict says whether a limit carries what is needed.
type Verdict string

// The verdicts.
const (
	OK        Verdict = "ok"
	Tight     Verdict = "tight"      // needs more than nine tenths of it, or makes the run slower than it could be
	TooLittle Verdict = "too little" // does not fit
)

// Finding is one limit and what is needed of it.
type Finding struct {
	Limit   string  `json:"limit"`
	Is      string  `json:"is"`
	Allows  string  `json:"allows"`
	Needs   string  `json:"needs"`
	Verdict Verdict `json:"verdict"`
	Mend    string  `json:"mend,omitempty"` // the command that raises it; empty when it is ok
}

// Examine holds a need against the limits. What could not be read is left out.
func Examine(l Limits, n Need) []Finding {
	var list []Finding
	add := func(known bool, f Finding) {
		if !known {
			return
		}
		if f.Verdict == OK {
			f.Mend = ""
		}
		list = append(list, f)
	}
	devices := uint64(n.Devices())
	sockets := uint64(n.Sockets())
	if n.Embedded {
		sockets += uint64(n.tcp())
	}

	files := Finding{
		Limit: "descriptors per process", Is: fmt.Sprintf("soft %s, hard %s", count(l.SoftFiles), count(l.HardFiles)),
		Allows: count(uint64(l.PerProcess())) + " devices a process", Needs: fmt.Sprintf("%d worker processes", l.Workers(n)),
		Verdict: OK, Mend: "ulimit -Hn 1048576 (as root; systemd: LimitNOFILE=1048576; docker: --ulimit nofile=1048576:1048576)",
	}
	if l.PerProcess() == 0 && devices > 0 {
		files.Needs, files.Verdict = "some beside those that each process has of its own", TooLittle
	}
	add(l.HardFiles > 0, files)

	add(l.FilesOfMachine > 0, Finding{
		Limit: "descriptors of the machine", Is: count(l.FilesOfMachine), Allows: count(l.FilesOfMachine) + " open files",
		Needs: count(sockets), Verdict: judge(sockets, l.FilesOfMachine), Mend: "sysctl -w fs.file-max=" + raise(sockets),
	})

	ports := uint64(0)
	if l.PortLast >= l.PortFirst && l.PortFirst > 0 {
		ports = l.PortLast - l.PortFirst + 1
	}
	tuples := ports * uint64(max(1, n.SourceAddresses)) * uint64(max(1, n.Destinations))
	add(ports > 0 && n.tcp() > 0, Finding{
		Limit: "source ports, TCP", Is: fmt.Sprintf("%d-%d", l.PortFirst, l.PortLast),
		Allows: fmt.Sprintf("%s to %d endpoints from %d addresses", count(tuples), max(1, n.Destinations), max(1, n.SourceAddresses)),
		Needs:  count(uint64(n.tcp())), Verdict: judge(uint64(n.tcp()), tuples),
		Mend: `sysctl -w net.ipv4.ip_local_port_range="1024 65535"; beyond it, more endpoints: --target A,B`,
	})
	own := ports * uint64(max(1, n.SourceAddresses)) // the kernel draws a UDP port that nobody has on the address
	add(ports > 0 && n.udp() > 0, Finding{
		Limit: "source ports, UDP", Is: fmt.Sprintf("%d-%d", l.PortFirst, l.PortLast),
		Allows: fmt.Sprintf("%s from %d addresses", count(own), max(1, n.SourceAddresses)),
		Needs:  count(uint64(n.udp())), Verdict: judge(uint64(n.udp()), own),
		Mend: `sysctl -w net.ipv4.ip_local_port_range="1024 65535"; beyond it, more source addresses`,
	})

	free := l.Conntrack - min(l.Conntrack, l.ConntrackUsed)
	add(l.Conntrack > 0, Finding{
		Limit: "connection tracking", Is: fmt.Sprintf("%s of %s used", count(l.ConntrackUsed), count(l.Conntrack)),
		Allows: count(free) + " more; beyond it the kernel drops SYNs without an error", Needs: count(devices), Verdict: judge(devices, free),
		Mend: "sysctl -w net.netfilter.nf_conntrack_max=" + raise(devices+l.ConntrackUsed),
	})

	memory := l.Memory(n)
	add(l.MemoryAvailable > 0, Finding{
		Limit: "memory", Is: bytes(l.MemoryAvailable) + " available", Allows: bytes(l.MemoryAvailable),
		Needs: bytes(memory), Verdict: judge(memory, l.MemoryAvailable),
		Mend: "fewer devices (--scale), a larger machine, or docker: --memory " + strconv.FormatUint(memory/9*10>>20+1, 10) + "m",
	})

	// The rest makes a run slow or its figures doubtful, but stops no device.
	burst := uint64(min(n.tcp(), 4_096))
	backlog := min(l.Somaxconn, l.SYNBacklog)
	add(n.Embedded && backlog > 0, Finding{
		Limit: "listen queue", Is: fmt.Sprintf("somaxconn %s, SYN backlog %s", count(l.Somaxconn), count(l.SYNBacklog)),
		Allows: count(backlog) + " connections at once", Needs: count(burst), Verdict: slow(backlog < burst),
		Mend: "sysctl -w net.core.somaxconn=4096 net.ipv4.tcp_max_syn_backlog=4096",
	})
	for _, m := range []struct {
		name, key string
		devices   int
		have      uint64
	}{{"TCP buffers", "tcp_mem", n.tcp(), l.TCPMemory}, {"UDP buffers", "udp_mem", n.udp(), l.UDPMemory}} {
		least := uint64(m.devices) * page // a page for what a socket holds now and then
		add(m.have > 0 && m.devices > 0, Finding{
			Limit: m.name, Is: bytes(m.have), Allows: count(m.have/page) + " sockets with a page each", Needs: count(uint64(m.devices)),
			Verdict: slow(m.have < least),
			Mend:    fmt.Sprintf(`sysctl -w net.ipv4.%s="%d %d %d"`, m.key, m.devices, m.devices*3/2, m.devices*2),
		})
	}
	processes := uint64(l.Workers(n) + l.Brokers(n) + 2)
	threads := processes * 32 // what the Go runtime keeps of threads, generously
	add(l.PIDs > 0, Finding{
		Limit: "processes and threads", Is: count(l.PIDs), Allows: count(l.PIDs), Needs: "about " + count(threads),
		Verdict: judge(threads, l.PIDs), Mend: "docker: --pids-limit " + raise(threads) + "; systemd: TasksMax=" + raise(threads),
	})
	add(l.CPUs > 0, Finding{
		Limit: "CPUs", Is: fmt.Sprintf("%.2g", l.CPUs), Allows: "any number of devices, at a rate", Needs: "at least 1",
		Verdict: slow(l.CPUs < 1), Mend: "docker: --cpus 1",
	})
	add(true, Finding{
		Limit: "swap", Is: bytes(l.SwapUsed) + " used", Allows: "none: devices that are swapped out lag", Needs: bytes(0),
		Verdict: slow(l.SwapUsed > 0), Mend: "swapoff -a",
	})
	return list
}

func judge(need, have uint64) Verdict {
	switch {
	case need > have:
		return TooLittle
	case need > have/10*9:
		return Tight
	}
	return OK
}

func slow(yes bool) Verdict {
	if yes {
		return Tight
	}
	return OK
}

// raise is a limit with a quarter to spare.
func raise(n uint64) string { return strconv.FormatUint(n+n/4, 10) }

func bytes(n uint64) string {
	if n < 1e9 {
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}

// count groups a number's digits by thousands.
func count(n uint64) string {
	if n == Unlimited {
		return "unlimited"
	}
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Problem is a limit that a need does not fit in.
type Problem Finding

// Error says what is missing, and what mends it.
func (p Problem) Error() string {
	return fmt.Sprintf("%s: needs %s, is %s (allows %s): %s", p.Limit, p.Needs, p.Is, p.Allows, p.Mend)
}

// Fit returns what keeps n from running here, nothing if it fits. What is only tight is no problem.
func Fit(l Limits, n Need) []Problem {
	var list []Problem
	for _, f := range Examine(l, n) {
		if f.Verdict == TooLittle {
			list = append(list, Problem(f))
		}
	}
	return list
}
