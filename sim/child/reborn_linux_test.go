package child

import (
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A process that was born again has small stacks and the batch policy, for all that it starts too, and is
// not born a third time.
func TestReborn(t *testing.T) {
	c := exec.Command("/proc/self/exe", "child", "reborn")
	c.Env = []string{"GODEBUG=madvdontneed=1"}
	out, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.TrimSpace(string(out)), "madvdontneed=1,adaptivestackstart=0 3 3"; got != want || unix.SCHED_BATCH != 3 {
		t.Errorf("%s, want %s", got, want)
	}
}
