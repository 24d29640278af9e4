package host

import (
	"io/fs"
	"math"
	"strings"
	"testing"
	"testing/fstest"
)

const limitsText = `Limit                     Soft Limit           Hard Limit           Units
Max processes             95742                95742                processes
Max open files            1024                 20000                files
`

func machine(extra map[string]string) fs.FS {
	m := fstest.MapFS{}
	for name, text := range map[string]string{
		"proc/self/limits":                          limitsText,
		"proc/self/cgroup":                          "0::/a/b\n",
		"proc/sys/fs/nr_open":                       "1048576\n",
		"proc/sys/fs/file-max":                      "9223372036854775807\n",
		"proc/sys/net/ipv4/ip_local_port_range":     "32768\t60999\n",
		"proc/sys/net/netfilter/nf_conntrack_max":   "65536\n",
		"proc/sys/net/netfilter/nf_conntrack_count": "536\n",
		"proc/sys/net/core/somaxconn":               "128\n",
		"proc/sys/net/ipv4/tcp_max_syn_backlog":     "512\n",
		"proc/sys/net/ipv4/tcp_mem":                 "100 200 300\n",
		"proc/meminfo":                              "MemTotal: 3000000 kB\nMemAvailable: 2000000 kB\nSwapTotal: 10 kB\nSwapFree: 4 kB\n",
		"proc/sys/kernel/threads-max":               "5000\n",
		"sys/fs/cgroup/a/b/memory.max":              "max\n",
		"sys/fs/cgroup/a/memory.max":                "1000000000\n",
		"sys/fs/cgroup/a/memory.current":            "400000000\n",
		"sys/fs/cgroup/a/pids.max":                  "900\n",
		"sys/fs/cgroup/a/b/cpu.max":                 "150000 100000\n",
		"sys/fs/cgroup/a/cpu.max":                   "max 100000\n",
	} {
		m[name] = &fstest.MapFile{Data: []byte(text)}
	}
	for name, text := range extra {
		m[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return m
}

func TestRead(t *testing.T) {
	got := Read(machine(nil), 8)
	want := Limits{
		SoftFiles: 1024, HardFiles: 20000, FilesPerProcess: 1048576, FilesOfMachine: 9223372036854775807,
		PortFirst: 32768, PortLast: 60999, Conntrack: 65536, ConntrackUsed: 536, Somaxconn: 128, SYNBacklog: 512,
		TCPMemory: 300 * 4096, MemoryAvailable: 600_000_000, SwapUsed: 6 << 10, CPUs: 1.5, PIDs: 900,
	}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got := Read(fstest.MapFS{}, 2); got != (Limits{CPUs: 2}) {
		t.Errorf("nothing to read: %+v", got)
	}
	broken := Read(machine(map[string]string{
		"proc/sys/net/ipv4/tcp_mem": "1 2 x", "proc/self/limits": "Max open files unlimited unlimited files",
		"proc/sys/net/ipv4/ip_local_port_range": "1",
	}), 1)
	if broken.TCPMemory != 0 || broken.PortLast != 0 || broken.HardFiles != Unlimited || broken.PerProcess() != 1_047_576 {
		t.Errorf("broken files: %+v", broken)
	}
}

func ample() Limits {
	return Limits{
		SoftFiles: 20_000, HardFiles: 20_000, FilesPerProcess: 1 << 20, FilesOfMachine: 1 << 30, PortFirst: 32_768, PortLast: 60_999,
		Somaxconn: 4096, SYNBacklog: 4096, TCPMemory: 4 << 30, UDPMemory: 4 << 30, MemoryAvailable: 20e9, CPUs: 2, PIDs: 90_000,
	}
}

// One formula for all who ask: doctor, the number of workers and of brokers, and what a worker says of itself.
func TestCarries(t *testing.T) {
	for files, want := range map[uint64]int{
		0: 0, 32: 0, 33: 1, 256: 224, 640: 608, 1024: 973, 4096: 3892, 20_000: 19_000, 65_536: 64_536, 1_048_576: 1_047_576,
		Unlimited: math.MaxInt32 - 1000,
	} {
		if got := Carries(files); got != want {
			t.Errorf("%d descriptors carry %d devices, want %d", files, got, want)
		}
		l := Limits{HardFiles: files, FilesPerProcess: files}
		if got := l.PerProcess(); got != want {
			t.Errorf("%d descriptors: %d devices a process, want %d", files, got, want)
		}
		for _, devices := range []int{0, 1, 973, 974, 100_000} {
			n, workers := Processes(devices, files), l.Workers(Need{MQTT: devices})
			if n != workers || want > 0 && (n*want < devices || (n-1)*want >= max(1, devices)) || want == 0 && n != 0 {
				t.Errorf("%d devices at %d descriptors: %d processes, %d workers", devices, files, n, workers)
			}
		}
	}
}

func TestProcesses(t *testing.T) {
	l := ample()
	if n := l.PerProcess(); n != 19_000 {
		t.Fatalf("%d devices a process", n)
	}
	for devices, want := range map[int]int{0: 0, 1: 1, 19_000: 1, 19_001: 2, 100_000: 6} {
		n := Need{MQTT: devices, Embedded: true}
		if w, b := l.Workers(n), l.Brokers(n); w != want || b != want {
			t.Errorf("%d devices: %d workers, %d brokers, want %d", devices, w, b, want)
		}
	}
	if b := l.Brokers(Need{MQTT: 5}); b != 0 {
		t.Errorf("%d brokers of a target that is not embedded", b)
	}
}

// Each limit alone, too little by one and just enough.
func TestFit(t *testing.T) {
	for _, tc := range []struct {
		limit string
		need  Need
		short func(*Limits)
	}{
		{"descriptors per process", Need{MQTT: 1}, func(l *Limits) { l.HardFiles = 32 }},
		{"descriptors of the machine", Need{MQTT: 10, Embedded: true}, func(l *Limits) { l.FilesOfMachine = 19 }},
		{"source ports, TCP", Need{MQTT: 20, Destinations: 2}, func(l *Limits) { l.PortLast = l.PortFirst + 8 }},
		{"source ports, UDP", Need{CoAP: 10, Destinations: 2}, func(l *Limits) { l.PortLast = l.PortFirst + 8 }},
		{"connection tracking", Need{CoAPOverDTLS: 10}, func(l *Limits) { l.Conntrack, l.ConntrackUsed = 20, 11 }},
		{"memory", Need{MQTTOverTLS: 10}, func(l *Limits) { l.MemoryAvailable = 10*(TLSDevice+TCPSocket) + WorkerProcess - 1 }},
		{"memory", Need{CoAP: 10}, func(l *Limits) { l.MemoryAvailable = 10*(CoAPDevice+UDPSocket) + WorkerProcess - 1 }},
		{"processes and threads", Need{MQTT: 10}, func(l *Limits) { l.PIDs = 20 }},
	} {
		l := ample()
		if p := Fit(l, tc.need); len(p) != 0 {
			t.Errorf("%s: ample limits do not fit: %v", tc.limit, p)
		}
		tc.short(&l)
		p := Fit(l, tc.need)
		if len(p) != 1 || p[0].Limit != tc.limit || p[0].Mend == "" || !strings.Contains(p[0].Error(), p[0].Mend) {
			t.Errorf("%s: %+v", tc.limit, p)
		}
	}
	for _, f := range Examine(ample(), Need{MQTT: 10}) {
		if f.Verdict != OK || f.Mend != "" {
			t.Errorf("ample: %+v", f)
		}
	}
	l := ample()
	l.FilesOfMachine = 100
	for devices, want := range map[int]Verdict{90: OK, 91: Tight, 100: Tight, 101: TooLittle} {
		if got := Examine(l, Need{CoAP: devices})[1].Verdict; got != want {
			t.Errorf("%d of 100: %s, want %s", devices, got, want)
		}
	}
}

// What slows a run down is told and refuses nothing.
func TestTight(t *testing.T) {
	l := ample()
	l.Somaxconn, l.TCPMemory, l.CPUs, l.SwapUsed = 10, 1, 0.5, 1
	n := Need{MQTT: 100, Embedded: true}
	tight := 0
	for _, f := range Examine(l, n) {
		if f.Verdict == Tight && f.Mend != "" {
			tight++
		}
	}
	if tight != 4 || len(Fit(l, n)) != 0 {
		t.Errorf("%d tight of 4, problems %v", tight, Fit(l, n))
	}
}
