//go:build docker

package engine

import (
	"io"
	"strings"
	"testing"

	tcexec "github.com/testcontainers/testcontainers-go/exec"

	"github.com/myriad-iot/myriad/docker"
	"github.com/myriad-iot/myriad/sim"
)

// A disk of a size is full when it is filled, for whatever program writes there, and has room again after it. The disk
// of a service without a limit is this machine's, and is left alone.
func TestFullDisk(t *testing.T) {
	m := &Target{Name: "mosquitto", Containers: []docker.Container{docker.Mosquitto()}, Limits: []sim.Limit{{Service: "broker", Disk: 32_000_000}}}
	_, h := start(t, m)
	write := func() (string, bool) {
		code, r, err := m.boxes[0].made.Exec(t.Context(), []string{"sh", "-c", "echo much >" + docker.Mosquitto().Data + "/file"}, tcexec.Multiplexed())
		must(t, err)
		text, err := io.ReadAll(r)
		must(t, err)
		return string(text), code == 0
	}
	for range 2 {
		must(t, h.(sim.Fillable).Fill(t.Context(), true))
		if said, written := write(); written || !strings.Contains(said, "No space left on device") {
			t.Errorf("a full disk took a file: %q", said)
		}
		must(t, m.Ready(t.Context(), m.boxes[0].endpoints()))
		must(t, h.(sim.Fillable).Fill(t.Context(), false))
		if said, written := write(); !written {
			t.Errorf("it has no room again: %q", said)
		}
	}
	must(t, h.Down(t.Context(), true))
	if err := h.(sim.Fillable).Fill(t.Context(), false); err == nil || !strings.Contains(err.Error(), "it has ended by itself: exit code 137") {
		t.Errorf("of a service that has ended: %v", err)
	}

	other := &Target{Name: "mosquitto", Containers: []docker.Container{docker.Mosquitto()}}
	_, h = start(t, other)
	if err := h.(sim.Fillable).Fill(t.Context(), true); err == nil || !strings.Contains(err.Error(), "its disk has no limit") {
		t.Errorf("without a limit: %v", err)
	}
}
