package host_test

import (
	"testing"
	"testing/fstest"
	"time"

	"github.com/myriad-iot/myriad/sim/host"
)

func TestBusy(t *testing.T) {
	for text, want := range map[string][2]time.Duration{
		"cpu  100 20 30 1000 50 1 2 7 90 5\ncpu0 1 1 1 1 1 1 1 1 0 0\n": {1600 * time.Millisecond, 12100 * time.Millisecond},
		"cpu  1 2 3 4\n": {60 * time.Millisecond, 100 * time.Millisecond}, // of an old kernel
		"":               {},
		"intr 1 2 3\n":   {},
	} {
		used, all := host.Busy(fstest.MapFS{"proc/stat": {Data: []byte(text)}})
		if used != want[0] || all != want[1] {
			t.Errorf("%q: %v busy of %v, want %v of %v", text, used, all, want[0], want[1])
		}
	}
}
