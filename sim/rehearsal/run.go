package rehearsal

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/scenarios"
	"github.com/myriad-iot/myriad/sim"
)

// Config says how the stories of a suite are rehearsed.
type Config struct {
	Staff    Staff
	Pace     bool     // a story that asks for more than this machine carries runs slower, and says so
	Overload Overload // what is done with a story that asks for more than this machine carries
	Display  Display
	Exposed  *Exposed     // whom Prometheus asks; nil: nobody
	Info     reports.Info // of the run, as far as it is known before it; its version is the workers' too
	Secrets  []string     // texts that the result of [Salvage] must not show
	Dir      string       // folder for what must outlive this process if it is killed; see [Salvage]
	Log      *slog.Logger

	FailFast        bool // after a story that failed the others do not begin
	RetryInvalid    int  // how often a story that was invalid is run again, when all others are over
	StopWhenInvalid bool // a story that can only be invalid any more ends, with a result of what was measured
}

// Overload says what is done with a story that asks for more than this machine carries.
type Overload string

// The ways to deal with it.
const (
	OverloadRefuse Overload = "refuse" // it is invalid at once, with the figures
	OverloadWarn   Overload = "warn"   // it runs, and is told
	OverloadIgnore Overload = "ignore" // nothing is measured
)

// Overloads lists them.
func Overloads() []Overload { return []Overload{OverloadRefuse, OverloadWarn, OverloadIgnore} }

// Outcome is the result of a suite.
type Outcome struct {
	Run       reports.Run // with a result for every story
	Unhealthy error       // of the first target that never came up, a [sim.NotHealthy]; nil if all did
}

// Run rehearses the stories of a suite, one after another, and returns when all of them are over and every
// process that it started has ended. When ctx ends, the story under way ends in order, with a result, and the
// others do not begin. The error is what Myriad could not do; what the target did is in the results.
//
// Parts of a rehearsal run in processes of their own, which are this program with other arguments: its main
// must begin with [Child]. Run sets the limits of the garbage collector and of threads for the whole process,
// so there is one Run at a time.
func Run(ctx context.Context, suite *scenarios.Suite, c Config) (*Outcome, error) {
	var collecting sync.WaitGroup
	during, stop := context.WithCancel(ctx)
	collecting.Go(func() { (&collector{processes: besides + 1}).run(during) })
	defer func() {
		stop()
		collecting.Wait()
		uncollected()
	}()
	d := &director{Config: &c, number: make(map[*scenarios.Story]int), runs: make(map[*scenarios.Story]int)}
	defer d.pool.Close()
	for i, story := range suite.Stories {
		d.number[story] = i + 1
	}
	out := &Outcome{Run: reports.Run{Info: c.Info}}
	out.Run.Info.Started = time.Now()
	d.Info.Started = out.Run.Info.Started
	if err := c.keepPlanned(suite); err != nil {
		return nil, err
	}
	stories, err := runAll(ctx, suite, d)
	if err != nil {
		return nil, err
	}
	info := &out.Run.Info
	info.Ended, info.Target, info.Workers = time.Now(), d.target, d.staffs
	for _, o := range stories {
		out.Run.Stories = append(out.Run.Stories, o.Result)
		info.Plans = append(info.Plans, o.Result.Plan.Hash()) // which may be slower than its story
		if h := new(sim.NotHealthy); errors.As(o.Err, &h) && out.Unhealthy == nil {
			out.Unhealthy = o.Err
		}
	}
	return out, nil
}
