package scenarios

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/cucumber/godog"

	"github.com/myriad-iot/myriad/reports"
)

// Runner starts stories. Start starts the target and prepares the devices; nothing connects yet.
type Runner interface {
	Start(ctx context.Context, s *Story) (Run, error)
}

// Run is a story that is running.
type Run interface {
	// Act blocks until Plan.Acts[i] is over. It is called for the acts in order. The timeline does not wait
	// for these calls.
	Act(ctx context.Context, i int) error

	// Result ends the run, waits for outstanding messages and judges it. It is called exactly once for
	// every run that was started, also after an Act failed and when ctx is done already: then it returns
	// what was measured so far.
	Result(ctx context.Context) (*reports.Result, error)
}

// Outcome is how a story ended.
type Outcome struct {
	Story  *Story
	Result *reports.Result   // never nil
	Steps  []reports.Verdict // by step; a step that was not reached is aborted
	Err    error             // what Myriad itself could not do; Result.Reasons says it too
}

// Run lets godog execute the stories one after another, and returns one outcome for each, in order. It
// blocks, and stops at the next step when ctx is done. An error means a defect of this package, never of
// a story. A process must run one suite at a time, because godog uses environment variables.
func (s *Suite) Run(ctx context.Context, r Runner) ([]Outcome, error) {
	defer restore("GODOG_SEED")()
	defer restore("GODOG_TESTED_PACKAGE")()
	tour := &tour{runner: r, stories: map[string]*Story{}, outcomes: map[*Story]*Outcome{}}
	var contents []godog.Feature
	for _, st := range s.Stories {
		name := st.Plan.Story.URI + ":" + strconv.Itoa(st.Plan.Story.Line)
		tour.stories[name] = st
		contents = append(contents, godog.Feature{Name: name, Contents: []byte(st.feature.only(st))})
	}
	code := 0
	if len(contents) > 0 {
		code = godog.TestSuite{
			Name:                "myriad",
			ScenarioInitializer: func(sc *godog.ScenarioContext) { s.register(sc, tour) },
			// No Tags, StopOnFailure, Paths or ShowStepDefinitions. "progress" is the formatter that
			// neither panics nor hides a failure; its output is discarded.
			Options: &godog.Options{
				Strict: true, Format: "progress", NoColors: true, Output: io.Discard,
				Concurrency: 1, FeatureContents: contents, DefaultContext: ctx,
			},
		}.Run()
	}
	return tour.finish(ctx, s.Stories, code)
}

// restore returns a function that resets an environment variable to its value now: godog leaves it empty,
// and child processes would inherit that.
func restore(name string) func() {
	old, had := os.LookupEnv(name)
	return func() {
		if had {
			_ = os.Setenv(name, old)
		} else {
			_ = os.Unsetenv(name)
		}
	}
}

// register gives godog the steps of one scenario. godog calls it once per scenario, so w belongs to one.
func (s *Suite) register(sc *godog.ScenarioContext, t *tour) {
	w := &walk{tour: t, step: -1}
	sc.Before(func(ctx context.Context, sc *godog.Scenario) (_ context.Context, err error) {
		defer caught("before the story", &err)
		return ctx, w.begin(ctx, t.stories[sc.Uri])
	})
	sc.StepContext().Before(func(ctx context.Context, _ *godog.Step) (context.Context, error) {
		w.step++
		return ctx, nil
	})
	sc.After(func(ctx context.Context, _ *godog.Scenario, err error) (_ context.Context, after error) {
		defer caught("after the story", &after)
		return ctx, w.end(ctx, err)
	})
	keyword := map[Keyword]func(expr, stepFunc any){Given: sc.Given, When: sc.When, Then: sc.Then}
	for i, e := range s.matcher.strict {
		keyword[s.matcher.steps[i].Keyword](e.Regexp(), w.do)
	}
}

// caught turns a panic into an error: a panic in a hook of godog would end the process.
func caught(where string, err *error) {
	if v := recover(); v != nil {
		*err = fmt.Errorf("panic %s: %v", where, v)
	}
}

// tour is one pass through a suite.
type tour struct {
	runner   Runner
	stories  map[string]*Story // by the name that godog knows
	outcomes map[*Story]*Outcome
}

// finish returns the outcomes and checks that godog's exit code agrees with the verdicts.
func (t *tour) finish(ctx context.Context, stories []*Story, code int) ([]Outcome, error) {
	var out []Outcome
	good := true
	for _, s := range stories {
		o := t.outcomes[s]
		if o == nil {
			o = t.unreached(s)
			if cause := context.Cause(ctx); cause != nil {
				o.Result.Reasons = []string{"interrupted before it began"}
				o.Err = cause
			}
		}
		good = good && (o.Result.Verdict == reports.Passed || o.Result.Verdict == reports.NotJudged)
		out = append(out, *o)
	}
	switch {
	case code > 1:
		return out, fmt.Errorf("run stories: godog refused them with code %d", code)
	case (code == 0) != good:
		return out, errors.New("run stories: godog and the verdicts disagree")
	}
	return out, nil
}

// unreached is the outcome of a story that did not begin.
func (t *tour) unreached(s *Story) *Outcome {
	o := &Outcome{Story: s, Result: emptyResult(s, reports.Aborted, "it did not begin")}
	for range s.Steps {
		o.Steps = append(o.Steps, reports.Aborted)
	}
	return o
}

// emptyResult is the result of a story that did not run, with the reason.
func emptyResult(s *Story, v reports.Verdict, reason string) *reports.Result {
	return reports.Empty(&s.Plan, v, reason)
}
