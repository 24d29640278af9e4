package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/scenarios"
)

// errNotBegun is why a story does not begin after another one has failed.
var errNotBegun = errors.New("it did not begin: a story before it failed (--fail-fast)")

// runAll runs the stories of a suite, and those that were invalid again, as often as the configuration says.
func runAll(ctx context.Context, suite *scenarios.Suite, d *director) ([]scenarios.Outcome, error) {
	runner := scenarios.Runner(d)
	if d.FailFast {
		runner = &untilFailed{Runner: d}
	}
	d.coming = suite.Stories
	all, err := suite.Run(ctx, runner)
	for n := 1; n <= d.RetryInvalid && err == nil && ctx.Err() == nil; n++ {
		var again []int
		for i := range all {
			if all[i].Result.Verdict == reports.Invalid {
				again = append(again, i)
			}
		}
		if len(again) == 0 {
			break
		}
		var list []*scenarios.Story
		for _, i := range again {
			list = append(list, all[i].Story)
		}
		d.coming = list
		var outcomes []scenarios.Outcome
		if outcomes, err = suite.Only(list).Run(ctx, runner); err != nil {
			break
		}
		for k, i := range again {
			all[i] = replaced(&all[i], &outcomes[k], n)
		}
	}
	return all, err
}

// replaced is the outcome of a story that was run again for the n-th time, because it was invalid: that of the
// new run, which says why there was one, unless that was not finished.
func replaced(before, after *scenarios.Outcome, n int) scenarios.Outcome {
	if after.Result.Verdict == reports.Aborted {
		return *before
	}
	note := fmt.Sprintf("run again (%d) after it was invalid: %s", n, strings.Join(before.Result.Reasons, "; "))
	after.Result.Reasons = append(after.Result.Reasons, note)
	return *after
}

// untilFailed starts no story after one that failed.
type untilFailed struct {
	scenarios.Runner
	failed atomic.Bool
}

// Start implements [scenarios.Runner].
func (u *untilFailed) Start(ctx context.Context, s *scenarios.Story) (scenarios.Run, error) {
	if u.failed.Load() {
		return nil, errNotBegun
	}
	run, err := u.Runner.Start(ctx, s)
	if err != nil {
		return nil, err
	}
	return &noticed{run, u}, nil
}

// noticed is a run whose verdict is looked at.
type noticed struct {
	scenarios.Run
	by *untilFailed
}

// Result implements [scenarios.Run].
func (n *noticed) Result(ctx context.Context) (*reports.Result, error) {
	r, err := n.Run.Result(ctx)
	if r != nil && r.Verdict == reports.Failed {
		n.by.failed.Store(true)
	}
	return r, err
}
