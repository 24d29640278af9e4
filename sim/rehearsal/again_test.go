package rehearsal

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/scenarios"
)

// ended is a run that is over, and starter gives each story the verdict whose turn it is.
type ended struct{ verdict reports.Verdict }

func (e ended) Act(context.Context, int) error { return nil }
func (e ended) Result(context.Context) (*reports.Result, error) {
	return &reports.Result{Verdict: e.verdict}, nil
}

type starter struct{ verdicts []reports.Verdict }

func (s *starter) Start(context.Context, *scenarios.Story) (scenarios.Run, error) {
	v := s.verdicts[0]
	s.verdicts = s.verdicts[1:]
	return ended{v}, nil
}

// Only a failure keeps the others from beginning: what is invalid says nothing of the target.
func TestUntilFailed(t *testing.T) {
	u := &untilFailed{Runner: &starter{[]reports.Verdict{reports.Passed, reports.Invalid, reports.NotJudged, reports.Failed, reports.Passed}}}
	for range 4 {
		run, err := u.Start(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := run.Result(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := u.Start(t.Context(), nil); !errors.Is(err, errNotBegun) {
		t.Errorf("after a failure: %v", err)
	}
}

// The last run counts and says why there was one; a run that was not finished changes nothing.
func TestReplaced(t *testing.T) {
	before := scenarios.Outcome{Result: &reports.Result{Verdict: reports.Invalid, Reasons: []string{"it was late"}}}
	for v, want := range map[reports.Verdict]reports.Verdict{
		reports.Passed: reports.Passed, reports.Failed: reports.Failed, reports.Invalid: reports.Invalid, reports.Aborted: reports.Invalid,
	} {
		o := replaced(&before, &scenarios.Outcome{Result: &reports.Result{Verdict: v}}, 2)
		said := strings.Join(o.Result.Reasons, "\n")
		if o.Result.Verdict != want || strings.Contains(said, "run again (2) after it was invalid: it was late") != (v != reports.Aborted) {
			t.Errorf("%s: %s, %q", v, o.Result.Verdict, said)
		}
	}
}
