package probe

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/child"
	"github.com/myriad-iot/myriad/sim/journal"
	"github.com/myriad-iot/myriad/sim/ledger"
)

const (
	gatherFor = 20 * time.Millisecond // how long the child keeps a sighting, which has its instant, so that others join it
	tellEvery = 10 * time.Millisecond // how often it tells that something came that is no sighting
)

// ChildMain is the main function of the child of a [Remote] and returns its exit status. It takes no
// arguments: what to watch is the first line of standard input, as JSON, and it watches until that
// ends. It is ready when all subscriptions are granted. Sightings go to the child's pipe.
func ChildMain(args []string) int {
	err := fmt.Errorf("unexpected arguments %q", args)
	if len(args) == 0 {
		err = watch(bufio.NewReader(os.Stdin), os.Stdout, child.Pipe())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func watch(stdin *bufio.Reader, stdout, pipe io.Writer) error {
	line, err := stdin.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("probe: read what to watch: %w", err)
	}
	var o order
	if err := json.Unmarshal(line, &o); err != nil {
		return fmt.Errorf("probe: read what to watch: %w", err)
	}
	for i := range o.Fleets {
		if f := &o.Fleets[i]; f.Binding(sim.RoleData) == nil || len(f.Conversations()) != len(f.Lines()) {
			return fmt.Errorf("probe: read what to watch: fleet %d lacks a binding", i)
		}
	}
	// A subscription is one goroutine. Beside it the devices and the broker want cores, and on a core less the
	// runtime wakes no second thread to look for work whenever a message comes: an eighth of the child's CPU.
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(max(1, min(runtime.GOMAXPROCS(0)/2, max(o.Split, 1)*len(o.Endpoints[ListenScheme(o.Endpoints)]))))
	}
	ctx, cancel := child.Lifetime(stdin)
	defer cancel()
	w := journal.NewWriter(pipe, gatherFor)
	o.Login.Password = o.Login.Password.With(o.Password)
	p := &Probe{
		Plan: &sim.Plan{Seed: o.Seed, Fleets: o.Fleets, Target: sim.TargetSpec{Login: o.Login}}, RunID: o.RunID, Endpoints: o.Endpoints,
		Witness: w, Clock: journal.Clock{}, Connections: o.Split,
		Away: func(n int, out ledger.Outage) { w.See(noticeOf(o.RunID, n, &out)) },
	}
	var telling sync.WaitGroup
	var unheard error
	telling.Go(func() {
		defer cancel()
		unheard = tell(ctx, p, w, stdout)
	})
	telling.Go(func() { tellStalls(ctx, p, w) })
	err = p.Run(ctx)
	cancel()
	telling.Wait()
	return errors.Join(err, unheard, w.Flush())
}

// tell says when the probe is ready, and then, until ctx ends, when something came: a parent that
// waits for silence has to know of more than sightings.
func tell(ctx context.Context, p *Probe, w *journal.Writer, stdout io.Writer) error {
	select {
	case <-p.Ready():
	case <-ctx.Done():
		return nil
	}
	told := p.latest() // before anybody knows that it is ready, and sends something
	if _, err := fmt.Fprintln(stdout, "ready"); err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	ticker := time.NewTicker(tellEvery)
	defer ticker.Stop()
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	for {
		select {
		case <-ticker.C:
			if last := p.latest(); last.After(told) {
				told = last
				w.See(noise(p.RunID, p.Clock.Now()))
			}
		case <-beat.C:
			w.See(beatNotice(p.RunID, p.Clock.Now(), p.behind()))
		case <-w.Failed():
			return nil // Flush says why
		case <-ctx.Done():
			return nil
		}
	}
}
