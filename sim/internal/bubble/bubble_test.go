package bubble_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

// Timers that are over before anybody looks, read by many at once: without [bubble.Test] the race detector ends the
// process here.
func TestTimersOverAtOnce(t *testing.T) {
	procs := runtime.GOMAXPROCS(0)
	bubble.Test(t, func(*testing.T) {
		began := time.Now()
		var all sync.WaitGroup
		for range 64 {
			all.Go(func() {
				for range 3000 {
					timer := time.NewTimer(0)
					select {
					case <-timer.C:
					case <-time.After(time.Hour):
					}
				}
			})
		}
		all.Wait()
		if took := time.Since(began); took != 0 {
			t.Errorf("%v of virtual time went by", took)
		}
	})
	if now := runtime.GOMAXPROCS(0); now != procs {
		t.Errorf("%d processors before, %d after", procs, now)
	}
}

// A test that uses synctest.Test by itself may end its whole package under the race detector.
func TestNobodyGoesAround(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		if err == nil && filepath.Base(filepath.Dir(path)) != "bubble" && bytes.Contains(source, []byte("synctest.Test(")) {
			t.Errorf("%s: calls synctest.Test: call bubble.Test", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
