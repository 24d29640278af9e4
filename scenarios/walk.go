package scenarios

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/cucumber/godog"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
)

// walk is the execution of one story.
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
	if s.NotJudged != "" {
		return w.skip(s.NotJudged)
	}
	// The reason if the run panics; it is replaced when the run returns a result.
	w.out.Result.Reasons = []string{"it ended unexpectedly"}
	run, err := w.start(ctx)
	var lacks *sim.Lacks
	if errors.As(err, &lacks) {
		return w.skip(lacks.Error())
	}
	var much *sim.TooMuch
	if errors.As(err, &much) {
		w.out.Result = emptyResult(w.story, reports.Invalid, much.Error())
		return err
	}
	if err != nil {
		w.out.Err = err
		w.out.Result.Reasons = []string{err.Error()}
		return err
	}
	w.run = run
	return nil
}

// skip ends a story that cannot be judged, with the reason; it does not run.
func (w *walk) skip(why string) error {
	w.out.Result = emptyResult(w.story, reports.NotJudged, why)
	for i := range w.out.Steps {
		w.out.Steps[i] = reports.NotJudged
	}
	return godog.ErrSkip
}

func (w *walk) start(ctx context.Context) (_ Run, err error) {
	defer caught("while the story started", &err)
	return w.runner.Start(ctx, w.story)
}

// do is the handler of every step. The step was compiled before the run, so do only executes it.
func (w *walk) do(ctx context.Context) (err error) {
	defer caught("in a step", &err)
	if err := context.Cause(ctx); err != nil {
		w.fail(err)
		return err
	}
	line := &w.story.Steps[w.step]
	switch line.Kind {
	case When:
		if line.Act >= 0 {
			if err := w.act(ctx, line.Act); err != nil {
				w.fail(err)
				return fmt.Errorf("%s:%d: %s: %w", w.story.Plan.Story.URI, line.Line, line.Text, err)
			}
		}
	case Then:
		// A failed claim is kept and do returns nil, so that every Then is judged. The After hook then
		// fails the story once.
		w.result(ctx)
		w.out.Steps[w.step] = w.verdict(w.step)
		return nil
	}
	if len(line.Guards)+len(line.Checks) > 0 {
		w.out.Steps[w.step] = "" // only the result judges it
		return nil
	}
	w.out.Steps[w.step] = reports.Passed
	return nil
}

func (w *walk) act(ctx context.Context, i int) (err error) {
	defer caught("in an act", &err)
	return w.run.Act(ctx, i)
}

// fail keeps the first error of the run itself.
func (w *walk) fail(err error) {
	if w.out.Err == nil {
		w.out.Err = err
	}
}

// result asks the run for its result, once. Then it judges the steps that had to wait for the result.
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
			w.out.Steps[i] = w.verdict(i)
		}
	}
}

func (w *walk) ask(ctx context.Context) (_ *reports.Result, err error) {
	defer caught("in the result", &err)
	return w.run.Result(ctx)
}

// verdict is the worst verdict of a step's findings.
func (w *walk) verdict(step int) reports.Verdict {
	list := []reports.Verdict{reports.Passed}
	for _, f := range w.out.Findings(step) {
		list = append(list, f.Verdict)
	}
	return reports.Worst(list...)
}

// Findings returns the findings of a step. A finding that the result does not contain is returned as aborted.
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

// end ends the story and returns everything that failed in it.
func (w *walk) end(ctx context.Context, stepErr error) error {
	if w.out == nil {
		return nil
	}
	w.result(ctx)
	// Then steps that were skipped because a When failed have a finding too.
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
	v := w.out.Result.Verdict
	if v == reports.Passed || v == reports.NotJudged || stepErr != nil {
		return nil
	}
	errs := []error{fmt.Errorf("the story is %s", v)}
	for i, line := range w.story.Steps {
		for _, f := range w.out.Findings(i) {
			if f.Verdict != reports.Passed {
				errs = append(errs, broken(&f, line.Text))
			}
		}
	}
	return errors.Join(errs...)
}

// broken says what became of a sentence that did not pass, with figures where any were made.
func broken(f *reports.Finding, text string) error {
	said := fmt.Sprintf("%s: %s is %s", f.Check.Origin, text, f.Verdict)
	switch {
	case !f.Judged():
		return errors.New(said)
	case math.IsInf(f.Value, 1):
		return fmt.Errorf("%s: never, limit %g %s", said, f.Limit, f.Unit)
	}
	return fmt.Errorf("%s: %g %s, limit %g %s", said, f.Value, f.Unit, f.Limit, f.Unit)
}
