package probe

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"
)

// The test binary is also the child, and the parent of a grandchild.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "probe-child":
			os.Exit(ChildMain(os.Args[2:]))
		case "probe-parent":
			os.Exit(parentMain(os.Args[2]))
		}
	}
	os.Exit(m.Run())
}

func childCommand() []string { return []string{os.Args[0], "probe-child"} }

// newRemote makes the same as newProbe, in a child.
func newRemote(endpoints ...string) (*Remote, *witness) {
	p, w := newProbe(endpoints...)
	return &Remote{
		Command: childCommand(), Plan: p.Plan, RunID: p.RunID, Endpoints: p.Endpoints, Witness: w, Clock: p.Clock,
	}, w
}

// parentMain watches a broker until it is killed.
func parentMain(endpoint string) int {
	r, _ := newRemote(endpoint)
	r.Clock = clock{time.Now()}
	go func() {
		<-r.Ready()
		fmt.Println("watching")
	}()
	fmt.Fprintln(os.Stderr, r.Run(context.Background()))
	return 1
}

// far is what a Probe and a Remote have in common.
type far interface {
	Run(context.Context) error
	Ready() <-chan struct{}
	Drain(context.Context, time.Duration) error
}

var (
	_ far = (*Probe)(nil)
	_ far = (*Remote)(nil)
)
