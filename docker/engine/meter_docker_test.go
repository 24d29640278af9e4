//go:build docker

package engine

import (
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	tcexec "github.com/testcontainers/testcontainers-go/exec"

	"github.com/myriad-iot/myriad/docker"
	"github.com/myriad-iot/myriad/sim"
)

// A limit is kept by the kernel, as a program in the container that never rests finds for itself, and what the meter
// says is what that program says that it used.
func TestLimitAndMeter(t *testing.T) {
	m := &Target{Name: "mosquitto", Containers: []docker.Container{docker.Mosquitto()},
		Limits: []sim.Limit{{Service: "broker", CPU: 0.5, Memory: 64 << 20}}}
	_, h := start(t, m)
	var mu sync.Mutex
	var last sim.Use
	seen := make(chan struct{}, 100)
	ctx, enough := context.WithCancel(t.Context())
	var metering sync.WaitGroup
	metering.Go(func() {
		err := m.Meter(ctx, "broker", func(u sim.Use) {
			mu.Lock()
			last = u
			mu.Unlock()
			seen <- struct{}{}
		})
		if err != nil {
			t.Error(err)
		}
	})
	defer metering.Wait()
	defer enough()
	now := func() sim.Use {
		<-seen
		<-seen // what was read before may be a second old
		mu.Lock()
		defer mu.Unlock()
		return last
	}
	if u := now(); u.Memory < 500_000 || u.Memory > 64<<20 {
		t.Errorf("it holds %d bytes", u.Memory)
	}
	for _, limit := range []float64{0, 0.1, 0} { // 0 is what it was made with
		if err := h.(sim.Limitable).Limit(t.Context(), limit); err != nil {
			t.Fatal(err)
		}
		want := limit
		if limit == 0 {
			want = 0.5
		}
		before := now()
		_, out, err := m.boxes[0].made.Exec(t.Context(), []string{"sh", "-c", "timeout 2 sh -c 'while :; do :; done'; times"}, tcexec.Multiplexed())
		if err != nil {
			t.Fatal(err)
		}
		said, err := io.ReadAll(out)
		if err != nil {
			t.Fatal(err)
		}
		share := childrenTime(t, string(said)).Seconds() / 2
		if share < 0.6*want || share > 1.3*want {
			t.Errorf("limited to %v, a program used %v of a processor: %q", want, share, said)
		}
		if used := (now().CPU - before.CPU).D().Seconds() / 2; used < 0.7*share || used > 1.6*share+0.1 {
			t.Errorf("limited to %v, the meter says %v and the program %v", want, used, share)
		}
	}
	if err := m.Meter(ctx, "store", nil); err == nil || !strings.Contains(err.Error(), `mosquitto has no service "store"`) {
		t.Errorf("another service: %v", err)
	}
}

// childrenTime is the second line of what the shell's times prints: user and system time of children, "0m0.31s 0m0.00s".
func childrenTime(t *testing.T, said string) (sum time.Duration) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(said), "\n")
	for _, word := range strings.Fields(lines[len(lines)-1]) {
		d, err := time.ParseDuration(word)
		if err != nil {
			t.Fatalf("%q: %v", said, err)
		}
		sum += d
	}
	return sum
}
