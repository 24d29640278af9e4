package host

import (
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
)

func TestFindListener(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	p, ok := FindListener(os.DirFS("/"), port)
	if !ok || p.PID != os.Getpid() || p.SoftFiles != Read(os.DirFS("/"), 1).SoftFiles {
		t.Errorf("found %+v, %v: want this process, %d", p, ok, os.Getpid())
	}
	l.Close()
	if p, ok := FindListener(os.DirFS("/"), port); ok {
		t.Errorf("found %+v when nobody listens", p)
	}
	short := Listener{7, 1024}.Examine(2000)
	if short.Verdict != TooLittle || !strings.Contains(short.Mend, "prlimit --pid 7 --nofile=3750:3750") {
		t.Errorf("%+v", short)
	}
}

// A sysctl gives all of itself to the first read and nothing to later ones: a fake tree cannot show it.
func TestReadRealSysctls(t *testing.T) {
	text, err := os.ReadFile("/proc/sys/fs/nr_open")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.TrimSpace(string(text))
	if got := strconv.FormatUint(Read(os.DirFS("/"), 1).FilesPerProcess, 10); got != want {
		t.Errorf("fs.nr_open: %s, want %s", got, want)
	}
}
