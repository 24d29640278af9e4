//go:build docker

package engine

import (
	"io"
	"strconv"
	"strings"
	"testing"

	tcexec "github.com/testcontainers/testcontainers-go/exec"

	"github.com/myriad-iot/myriad/docker"
	"github.com/myriad-iot/myriad/sim"
)

// within runs a command in the container of a target, and returns what it said and whether it succeeded.
func within(t *testing.T, m *Target, command string) (said string, ok bool) {
	t.Helper()
	code, r, err := m.boxes[0].made.Exec(t.Context(), []string{"sh", "-c", command}, tcexec.Multiplexed())
	must(t, err)
	text, err := io.ReadAll(r)
	must(t, err)
	return strings.TrimSpace(string(text)), code == 0
}

// A disk of a size is full when it is filled, for whatever program writes there, and has room again after it. The disk
// of a service without a limit is this machine's, and is left alone.
func TestFullDisk(t *testing.T) {
	m := &Target{Name: "mosquitto", Containers: []docker.Container{docker.Mosquitto()}, Limits: []sim.Limit{{Service: "broker", Disk: 32_000_000}}}
	_, h := start(t, m)
	write := "cd " + docker.Mosquitto().Data + "; dd if=/dev/zero of=file bs=65536 count=1 2>&1; done=$?; rm -f file; exit $done"
	for range 2 {
		must(t, h.(sim.Fillable).Fill(t.Context(), true))
		if said, ok := within(t, m, write); ok || !strings.Contains(said, "No space left on device") {
			t.Errorf("a full disk took a file: %q", said)
		}
		must(t, m.Ready(t.Context(), m.boxes[0].endpoints()))
		must(t, h.(sim.Fillable).Fill(t.Context(), false))
		if said, ok := within(t, m, write); !ok {
			t.Errorf("it has no room again: %q", said)
		}
	}
	must(t, h.Down(t.Context(), true))
	if err := h.(sim.Fillable).Fill(t.Context(), false); err == nil || !strings.Contains(err.Error(), "it has ended by itself: exit code 137") {
		t.Errorf("of a service that has ended: %v", err)
	}
}

func TestDiskWithoutALimit(t *testing.T) {
	_, h := start(t, &Target{Name: "mosquitto", Containers: []docker.Container{docker.Mosquitto()}})
	if err := h.(sim.Fillable).Fill(t.Context(), true); err == nil || !strings.Contains(err.Error(), "its disk has no limit") {
		t.Errorf("without a limit: %v", err)
	}
}

// The kernel has the limit of memory that a service is given, and then that which it was made with.
func TestLimitOfMemory(t *testing.T) {
	const own, less = 64 << 20, 16 << 20
	m := &Target{Name: "mosquitto", Containers: []docker.Container{docker.Mosquitto()}, Limits: []sim.Limit{{Service: "broker", Memory: own}}}
	_, h := start(t, m)
	for _, step := range []struct{ bytes, want int64 }{{less, less}, {0, own}} {
		must(t, h.(sim.Limitable).LimitMemory(t.Context(), step.bytes))
		said, _ := within(t, m, "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null")
		if said != strconv.FormatInt(step.want, 10) {
			t.Errorf("the kernel has a limit of %q, want %d", said, step.want)
		}
	}
	must(t, m.Ready(t.Context(), m.boxes[0].endpoints()))
}
