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
)

const (
	gatherFor = 20 * time.Millisecond // how long the child keeps a sighting, which has its instant, so that others join it
	stirEvery = 10 * time.Millisecond // how often it tells that something came that is no sighting
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
		if len(o.Fleets[i].Bindings) != 1 || o.Fleets[i].Bindings[0].Role != sim.RoleData {
			return fmt.Errorf("probe: read what to watch: fleet %d has no data binding", i)
		}
	}
	// A subscription is one goroutine. Beside it the devices and the broker want cores, and on a core less the
	// runtime wakes no second thread to look for work whenever a message comes: an eighth of the child's CPU.
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(max(1, min(runtime.GOMAXPROCS(0)/2, len(o.Endpoints[Way(o.Endpoints)]))))
	}
	ctx, cancel := child.Lifetime(stdin)
	defer cancel()
	w := journal.NewWriter(pipe, gatherFor)
	p := &Probe{
		Plan: &sim.Plan{Seed: o.Seed, Fleets: o.Fleets}, RunID: o.RunID, Endpoints: o.Endpoints,
		Witness: w, Clock: journal.Clock{},
	}
	var telling sync.WaitGroup
	var unheard error
	telling.Go(func() {
		defer cancel()
		unheard = tell(ctx, p, w, stdout)
	})
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
	if _, err := fmt.Fprintln(stdout, "ready"); err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	ticker := time.NewTicker(stirEvery)
	defer ticker.Stop()
	for told := p.latest(); ; {
		select {
		case <-ticker.C:
			if last := p.latest(); last.After(told) {
				told = last
				w.See(sim.Sighting{Stamp: sim.Stamp{Run: ^p.RunID}, At: p.Clock.Now()})
			}
		case <-w.Failed():
			return nil // Flush says why
		case <-ctx.Done():
			return nil
		}
	}
}
