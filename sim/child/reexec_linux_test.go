package child

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A process that was born again has small stacks and the batch policy, for all that it starts too, and is
// not born a third time.
func TestReexec(t *testing.T) {
	c := exec.Command("/proc/self/exe", "child", "reexec")
	c.Env = []string{"GODEBUG=madvdontneed=1"}
	out, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.TrimSpace(string(out)), "madvdontneed=1,adaptivestackstart=0 3 3"; got != want || unix.SCHED_BATCH != 3 {
		t.Errorf("%s, want %s", got, want)
	}
}

// Who steps back does so with all threads, and with its session if that is its own.
func TestLowerPriority(t *testing.T) {
	for _, apart := range []bool{false, true} {
		p := start(t, Command{Kind: Kind{Args: args("step back"), Apart: apart}})
		<-p.Done()
		got := <-p.Ready()
		if _, err := os.Stat("/proc/self/autogroup"); err != nil {
			got += "10" // a kernel without autogroup
		}
		if ok := strings.HasPrefix(got, "10 10 ") && (!apart || got == "10 10 10"); !ok || p.Err() != nil {
			t.Errorf("apart %v: %s, %v", apart, got, p.Err())
		}
	}
}
