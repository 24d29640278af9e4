package host_test

import (
	"os"
	"runtime"
	"testing"
	"testing/fstest"
	"time"

	"github.com/myriad-iot/myriad/sim/host"
)

func TestD1_10_WorkOfAProcess(t *testing.T) {
	root := fstest.MapFS{
		"proc/7/task/7/schedstat": {Data: []byte("1000000 500000 12\n")},
		"proc/7/task/9/schedstat": {Data: []byte("2000000 0 3\n")},
		"proc/7/task/10/comm":     {Data: []byte("ended meanwhile\n")},
		"proc/8/task/8/schedstat": {Data: []byte("no figures\n")},
	}
	if ran, waited, ok := host.Work(root, 7); ran != 3*time.Millisecond || waited != 500*time.Microsecond || !ok {
		t.Errorf("%v, %v, %v", ran, waited, ok)
	}
	for _, pid := range []int{8, 9} {
		if _, _, ok := host.Work(root, pid); ok {
			t.Errorf("process %d is said to tell", pid)
		}
	}
	if runtime.GOOS == "linux" {
		if ran, _, ok := host.Work(os.DirFS("/"), os.Getpid()); ok && ran == 0 {
			t.Error("this process has not run")
		}
	}
}
