package scenarios

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
)

// Sentences that only the result judges get their verdict from it, whatever their keyword.
func TestStepsTellTheStory(t *testing.T) {
	s := mustLoadText(t, story(`
		Given a fleet "rooms" of 1,000 "sensor" devices
		And throughout the run the p99 publish latency over any 10s stays below 2s
		When fleet "rooms" connects evenly over 10s
		And everything is settled within 1m
		And phase "steady" runs for 1m
		Then no message is lost`), Options{})
	out := play(t, s, &fakeRunner{verdict: func(c *sim.Check) reports.Verdict {
		if c.Kind == sim.CheckSettled {
			return reports.Failed
		}
		return reports.Passed
	}})
	if got := fmt.Sprint(out[0].Steps); got != "[passed passed passed failed passed passed]" || out[0].Result.Verdict != reports.Failed {
		t.Errorf("the story is %s, its steps are %s", out[0].Result.Verdict, got)
	}
}

// A story that cannot be judged on its target does not start, and does not fail the suite.
func TestNotJudgedDoesNotStart(t *testing.T) {
	steps := strings.Replace(twoStories, "    Then no message is lost\n\n", "    And \"broker\" is killed\n    Then no message is lost\n\n", 1)
	s := mustLoadText(t, steps, Options{Target: "mqtt://127.0.0.1:1"})
	r := &fakeRunner{}
	out := play(t, s, r)
	if v := verdicts(out); v != "not judged, passed, passed" {
		t.Errorf("the stories are %s", v)
	}
	if o := out[0]; len(o.Result.Reasons) != 1 || o.Result.Findings[0].Verdict != reports.NotJudged || o.Steps[0] != reports.NotJudged {
		t.Errorf("the outcome is %+v", o.Result)
	}
	if slices.Contains(r.log, "start first") {
		t.Error("it started")
	}
}

// A When that fails ends the story; what the Thens found is still kept, and the next story begins.
func TestFailedActKeepsTheResult(t *testing.T) {
	broken := errors.New("no more descriptors")
	r := &fakeRunner{
		act: func(s *Story, i int) error {
			if s.Plan.Story.Name == "second (QoS 0)" {
				return broken
			}
			return nil
		},
		result: func(_ context.Context, r *reports.Result) (*reports.Result, error) {
			if r.Plan.Story.Name == "second (QoS 0)" {
				r.Verdict, r.Findings[0].Verdict = reports.Invalid, reports.Failed
			}
			return r, nil
		},
	}
	out := play(t, mustLoadText(t, twoStories, Options{Tags: "@second"}), r)
	if v := verdicts(out); v != "invalid, passed" {
		t.Errorf("the stories are %s", v)
	}
	if !errors.Is(out[0].Err, broken) {
		t.Errorf("the error is %v", out[0].Err)
	}
	if got := fmt.Sprint(out[0].Steps); got != "[passed passed aborted aborted failed passed passed]" {
		t.Errorf("the steps are %s", got)
	}
}

// A run that says nothing but an error is aborted, whatever its findings would be.
func TestErrorsWithoutResult(t *testing.T) {
	dead := &sim.NotHealthy{Target: "x", Err: errors.New("refused")}
	for name, r := range map[string]*fakeRunner{
		"start":  {start: func(*Story) error { return dead }},
		"result": {result: func(context.Context, *reports.Result) (*reports.Result, error) { return nil, dead }},
		"both":   {result: func(_ context.Context, r *reports.Result) (*reports.Result, error) { return r, dead }},
	} {
		out := play(t, mustLoadText(t, twoStories, Options{Tags: "@first"}), r)
		var nh *sim.NotHealthy
		if o := out[0]; o.Result.Verdict != reports.Aborted || !errors.As(o.Err, &nh) || !strings.Contains(strings.Join(o.Result.Reasons, " "), "refused") {
			t.Errorf("%s: the outcome is %+v, %v", name, o.Result, o.Err)
		}
	}
}

// Findings that a result lacks are aborted, never passed.
func TestMissingFindingsAreAborted(t *testing.T) {
	r := &fakeRunner{result: func(_ context.Context, r *reports.Result) (*reports.Result, error) {
		r.Verdict, r.Findings = reports.Aborted, nil
		return r, nil
	}}
	out := play(t, mustLoadText(t, twoStories, Options{Tags: "@first"}), r)
	if got := fmt.Sprint(out[0].Steps); got != "[passed passed aborted]" {
		t.Errorf("the steps are %s", got)
	}
}

// What a target turns out not to have when it starts makes the story not judged, and no failure.
func TestLackingTargetIsNotJudged(t *testing.T) {
	r := &fakeRunner{start: func(s *Story) error {
		if s.Plan.Story.Name != "first" {
			return nil
		}
		return fmt.Errorf("start: %w", &sim.Lacks{Target: "mosquitto", What: "ws://"})
	}}
	out := play(t, mustLoadText(t, twoStories, Options{}), r)
	if v := verdicts(out); v != "not judged, passed, passed" {
		t.Errorf("the stories are %s", v)
	}
	if o := out[0]; o.Err != nil || o.Result.Reasons[0] != `the target "mosquitto" does not have ws://` ||
		o.Result.Findings[0].Verdict != reports.NotJudged || o.Steps[0] != reports.NotJudged {
		t.Errorf("the outcome is %+v, %v", o.Result, o.Err)
	}
}
