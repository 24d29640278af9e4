package scenarios

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cucumber/godog"

	"github.com/myriad-iot/myriad/reports"
)

// walk is the way through one story.
type walk struct {
	*tour
	story *Story
	run   Run
	out   *Outcome
	step  int // the current one
	asked bool
}

// begin starts the story, or says why it does not start.
func (w *walk) begin(ctx context.Context, s *Story) error {
	if s == nil {
		return errors.New("godog knows a story that was not compiled")
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	w.story = s
	w.out = w.unreached(s)
	w.outcomes[s] = w.out
	if w.progress.StoryStarted != nil {
		w.progress.StoryStarted(s)
	}
	if s.NotJudged != "" {
		w.out.Result = emptyResult(s, reports.NotJudged, s.NotJudged)
		for i := range w.out.Steps {
			w.out.Steps[i] = reports.NotJudged
		}
		return godog.ErrSkip
	}
	// Until the run says more, a panic in it is what it ended with.
	w.out.Result.Reasons = []string{"it broke off"}
	run, err := w.start(ctx)
	if err != nil {
		w.out.Err = err
		w.out.Result.Reasons = []string{err.Error()}
		return err
	}
	w.run = run
	return nil
}

func (w *walk) start(ctx context.Context) (_ Run, err error) {
	defer caught("while the story started", &err)
	return w.runner.Start(ctx, w.story)
}

// do is the handler of every step: the sentence was compiled long ago.
func (w *walk) do(ctx context.Context) (err error) {
	defer caught("in a step", &err)
	if err := context.Cause(ctx); err != nil {
		w.fail(err)
		return err
	}
	line := &w.story.Steps[w.step]
	if w.progress.StepStarted != nil {
		w.progress.StepStarted(w.story, w.step)
	}
	switch line.Kind {
	case When:
		if line.Act >= 0 {
			if err := w.act(ctx, line.Act); err != nil {
				w.fail(err)
				return fmt.Errorf("%s:%d: %s: %w", w.story.Plan.Story.URI, line.Line, line.Text, err)
			}
		}
	case Then:
		// Soft: the finding is kept and nil returned, so that every Then is judged. The After hook
		// fails the story once.
		w.result(ctx)
		w.done(w.step, w.verdict(w.step))
		return nil
	}
	if len(line.Guards)+len(line.Checks) > 0 {
		w.out.Steps[w.step] = ""
		w.report(w.step)
		return nil
	}
	w.done(w.step, reports.Passed)
	return nil
}

func (w *walk) act(ctx context.Context, i int) (err error) {
	defer caught("in an act", &err)
	return w.run.Act(ctx, i)
}

// fail keeps the first thing that went wrong with the run itself.
func (w *walk) fail(err error) {
	if w.out.Err == nil {
		w.out.Err = err
	}
}

// result asks the run for its result, once. What had to wait for it is judged now.
func (w *walk) result(ctx context.Context) {
	if w.asked || w.run == nil {
		return
	}
	w.asked = true
	r, err := w.ask(ctx)
	if err != nil {
		w.fail(err)
	}
	if r == nil {
		r = emptyResult(w.story, reports.Aborted, "there is no result")
		if err != nil {
			r.Reasons = []string{err.Error()}
		}
	}
	w.out.Result = r
	for i, v := range w.out.Steps {
		if line := &w.story.Steps[i]; v == "" && len(line.Guards)+len(line.Checks) > 0 {
			w.done(i, w.verdict(i))
		}
	}
}

func (w *walk) ask(ctx context.Context) (_ *reports.Result, err error) {
	defer caught("in the result", &err)
	return w.run.Result(ctx)
}

// verdict is the worst finding of a step.
func (w *walk) verdict(step int) reports.Verdict {
	worst := []reports.Verdict{reports.Passed, reports.NotJudged, reports.Aborted, reports.Invalid, reports.Failed}
	v := reports.Passed
	for _, f := range w.out.Findings(step) {
		if slices.Index(worst, f.Verdict) > slices.Index(worst, v) {
			v = f.Verdict
		}
	}
	return v
}

// Findings returns the findings of a step. One that the result lacks is aborted.
func (o *Outcome) Findings(step int) []reports.Finding {
	var out []reports.Finding
	line, plan, all := &o.Story.Steps[step], &o.Story.Plan, o.Result.Findings
	at := func(i int, missing reports.Finding) {
		if i < len(all) {
			missing = all[i]
		}
		out = append(out, missing)
	}
	for _, i := range line.Guards {
		at(i, reports.Finding{Check: &plan.Guards[i], Verdict: reports.Aborted})
	}
	for _, i := range line.Checks {
		at(len(plan.Guards)+i, reports.Finding{Check: &plan.Checks[i], Verdict: reports.Aborted})
	}
	return out
}

func (w *walk) done(step int, v reports.Verdict) {
	w.out.Steps[step] = v
	w.report(step)
}

func (w *walk) report(step int) {
	if w.progress.StepDone != nil {
		w.progress.StepDone(w.story, step, w.out.Steps[step], w.story.Steps[step].Text)
	}
}

// end closes the story and returns all that it has to be blamed for.
func (w *walk) end(ctx context.Context, stepErr error) error {
	if w.out == nil {
		return nil
	}
	w.result(ctx)
	// Thens that were skipped because a When failed have a finding all the same.
	if w.asked {
		for i, line := range w.story.Steps {
			if line.Kind == Then && w.out.Steps[i] == reports.Aborted {
				w.out.Steps[i] = w.verdict(i)
			}
		}
	}
	if w.out.Err != nil && w.out.Result.Verdict == reports.Passed {
		w.out.Result.Verdict = reports.Aborted
		w.out.Result.Reasons = append(w.out.Result.Reasons, w.out.Err.Error())
	}
	if w.progress.StoryDone != nil {
		w.progress.StoryDone(w.out)
	}
	v := w.out.Result.Verdict
	if v == reports.Passed || v == reports.NotJudged || stepErr != nil {
		return nil
	}
	errs := []error{fmt.Errorf("the story is %s", v)}
	for i, line := range w.story.Steps {
		for _, f := range w.out.Findings(i) {
			if f.Verdict != reports.Passed {
				errs = append(errs, fmt.Errorf("%s: %s is %s: %g %s, limit %g %s",
					f.Check.Origin, line.Text, f.Verdict, f.Value, f.Unit, f.Limit, f.Unit))
			}
		}
	}
	return errors.Join(errs...)
}
