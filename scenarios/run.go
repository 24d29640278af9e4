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

// Runner starts stories. Start brings up the target and makes the devices ready; nothing connects yet.
type Runner interface {
	Start(ctx context.Context, s *Story) (Run, error)
}

// Run is a story under way.
type Run interface {
	// Act blocks until Plan.Acts[i] is over. Acts are asked for in order; the timeline does not wait for it.
	Act(ctx context.Context, i int) error

	// Result ends the run, drains it and judges it. It is called exactly once for every run that was
	// started, also after an Act failed and when ctx is done already: then it returns what there is.
	Result(ctx context.Context) (*reports.Result, error)
}

// Progress are functions to call on the way; nil ones are left out.
type Progress struct {
	StoryStarted func(s *Story)
	StepStarted  func(s *Story, step int)
	// StepDone may come twice: with an empty verdict for a sentence that only the result judges (a
	// guard, "settled within"), and again when it has.
	StepDone  func(s *Story, step int, v reports.Verdict, text string)
	StoryDone func(o *Outcome)
}

// Outcome is what became of a story.
type Outcome struct {
	Story  *Story
	Result *reports.Result   // never nil
	Steps  []reports.Verdict // by step; aborted were not reached
	Err    error             // what Myriad could not do; its reasons are in Result too
}

// Run lets godog walk through the stories, one after another, and returns an outcome for each in
// order. It stops at the next step when ctx is done. The error is a mistake of this package, never of
// a story. One process runs one suite at a time, because godog uses environment variables.
func (s *Suite) Run(ctx context.Context, r Runner, p Progress) ([]Outcome, error) {
	defer restore("GODOG_SEED")()
	defer restore("GODOG_TESTED_PACKAGE")()
	tour := &tour{runner: r, progress: p, stories: map[string]*Story{}, outcomes: map[*Story]*Outcome{}}
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
			// No Tags, StopOnFailure, Paths or ShowStepDefinitions; "progress" is the formatter that
			// neither panics nor hides a failure, and nobody sees it.
			Options: &godog.Options{
				Strict: true, Format: "progress", NoColors: true, Output: io.Discard,
				Concurrency: 1, FeatureContents: contents, DefaultContext: ctx,
			},
		}.Run()
	}
	return tour.finish(ctx, s.Stories, code)
}

// restore puts an environment variable back as it was: godog leaves an empty one, and children inherit it.
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

// register gives godog the steps of one scenario. It is called once per scenario, so what w holds is its own.
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

// caught turns a panic into an error: one in a hook of godog would end the process.
func caught(where string, err *error) {
	if v := recover(); v != nil {
		*err = fmt.Errorf("panic %s: %v", where, v)
	}
}

// tour is one pass through a suite.
type tour struct {
	runner   Runner
	progress Progress
	stories  map[string]*Story // by the name that godog knows
	outcomes map[*Story]*Outcome
}

// finish returns the outcomes and checks that godog saw the same as we did.
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

// emptyResult is the result of a story that has none of its own.
func emptyResult(s *Story, v reports.Verdict, reason string) *reports.Result {
	r := &reports.Result{Plan: &s.Plan, Verdict: v, Reasons: []string{reason}}
	for i := range s.Plan.Guards {
		r.Findings = append(r.Findings, reports.Finding{Check: &s.Plan.Guards[i], Verdict: v})
	}
	for i := range s.Plan.Checks {
		r.Findings = append(r.Findings, reports.Finding{Check: &s.Plan.Checks[i], Verdict: v})
	}
	return r
}
