package rehearsal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/render"
	"github.com/myriad-iot/myriad/scenarios"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/child"
)

// inVirtualTime reports whether a plan runs in virtual time.
func inVirtualTime(p *sim.Plan) bool { return p.Target.Kind == sim.TargetVirtual }

// imagining is what the process of a story in virtual time has to do.
type imagining struct {
	Plan    *sim.Plan `json:"plan"`
	Secrets []string  `json:"secrets"` // of the plan
	RunID   uint32    `json:"run_id"`
	Dir     string    `json:"dir"`   // where it leaves its result, as [render.Write] does
	Quiet   bool      `json:"quiet"` // it shows nothing
}

// virtualRun is the number of every run in virtual time: no other run is at its broker, and what follows from the
// number shall be the same each time.
const virtualRun = 1

// unheard is how long a process may go on, in real time, after it was told to end its story in order.
const unheard = 30 * time.Second

// elsewhere is a story that another process runs in virtual time. It implements scenarios.Run.
type elsewhere struct {
	story   *scenarios.Story
	process *child.Process
	dir     string
	log     *slog.Logger
	told    func(target map[string]string) // what the target was
	asked   context.Context                // ends when the story shall
	release func() bool                    // nobody asks any more
}

// startVirtual starts a process that runs the story in virtual time, and shows what it shows.
func (r *director) startVirtual(ctx context.Context, story *scenarios.Story) (*elsewhere, error) {
	command, err := again(virtualChild)
	if err != nil {
		return nil, err
	}
	r.runs[story]++
	e := &elsewhere{story: story, dir: filepath.Join(r.Dir, "virtual-"+stream(r.number[story], r.runs[story])), asked: ctx, log: storyLog(r.Log, &story.Plan)}
	order, err := json.Marshal(imagining{Plan: &story.Plan, Secrets: story.Plan.Secrets(), RunID: virtualRun, Dir: e.dir, Quiet: r.Display.Quiet})
	if err != nil {
		return nil, err
	}
	show := func(in io.Reader) error {
		_, err := io.Copy(r.Display.W, in)
		return err
	}
	if e.process, err = r.pool.Start(child.Command{Kind: child.Kind{Args: command}, Input: order, Read: show}); err != nil {
		return nil, fmt.Errorf("start a story in virtual time: %w", err)
	}
	e.told = func(target map[string]string) { r.target = target }
	e.release = context.AfterFunc(ctx, e.end)
	return e, nil
}

// end has the story end in order, with a result, and the process at once if it does not hear.
func (e *elsewhere) end() {
	_ = e.process.Signal(syscall.SIGTERM)
	select {
	case <-e.process.Done():
	case <-time.After(unheard):
		e.process.Kill()
	}
}

// Act implements scenarios.Run: all acts are over at once.
func (e *elsewhere) Act(ctx context.Context, _ int) error {
	select {
	case <-e.process.Done():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Result implements scenarios.Run.
func (e *elsewhere) Result(context.Context) (*reports.Result, error) {
	<-e.process.Done()
	e.release()
	defer os.RemoveAll(e.dir)
	if err := e.process.Err(); err != nil {
		return nil, fmt.Errorf("in virtual time: %w", err)
	}
	d, err := render.Load(e.dir)
	if err != nil {
		return nil, fmt.Errorf("in virtual time: %w", err)
	}
	if len(d.Run.Stories) != 1 {
		return nil, errors.New("in virtual time: the process left no result")
	}
	e.told(d.Run.Info.Target)
	result := d.Run.Stories[0]
	result.Plan = &e.story.Plan
	if cause := context.Cause(e.asked); cause != nil && !errors.Is(cause, context.Canceled) {
		for i, reason := range result.Reasons {
			if reason == wasInterrupted {
				result.Reasons[i] += ": " + cause.Error()
			}
		}
	}
	for i := range result.Events {
		logEvent(e.log, &result.Events[i])
	}
	logResult(e.log, result)
	return result, nil
}
