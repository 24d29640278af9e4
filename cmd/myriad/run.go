package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/render"
	"github.com/myriad-iot/myriad/scenarios"
	"github.com/myriad-iot/myriad/sim"
)

const runHelp = `Run stories. PATH is a .feature file, a folder, or file:line for one scenario; without any, the
built-in quickstart runs against the embedded broker and CoAP server.

All stories are checked before anything starts: a mistake costs milliseconds, says file:line and
what would be right, and exits 2. Ctrl-C ends a run in order: no new messages, answers are waited
for, the report is written, exit 5; a second Ctrl-C ends it at once.`

const runExamples = `  myriad run
  myriad run features/reconnect_storm.feature --target mosquitto
  myriad run plant.feature:23 --target mqtt://127.0.0.1:1883 --seed 7 --scale 0.1
  myriad run features/ --tags "@load and not @chaos" --out result --quiet
  myriad run site.feature --set site=north --allow-host broker.test.example`

// storyFlags choose and compile stories; run, plan and lint share them.
type storyFlags struct {
	seed       uint64
	scale      float64
	targets    []string
	tags       string
	set        []string
	profiles   []string
	allowHosts []string
}

func (f *storyFlags) register(c *cobra.Command) {
	fl := c.Flags()
	fl.Uint64Var(&f.seed, "seed", 1, "seed of every random choice; the same seed gives the same schedule, values and faults")
	fl.Float64Var(&f.scale, "scale", 1, "multiply the size of every fleet")
	fl.StringSliceVar(&f.targets, "target", nil, "system under test instead of the story's: embedded, mosquitto, mqtt://HOST:PORT,\ncoap://HOST:PORT (several: comma-separated, or repeated), or the name of a target in a profile")
	fl.StringVar(&f.tags, "tags", "", `tag expression, such as "@smoke and not @chaos"`)
	fl.StringArrayVar(&f.set, "set", nil, "KEY=VALUE: replace ${KEY} in stories; may be repeated")
	fl.StringArrayVar(&f.profiles, "profile", nil, "YAML file with models, fleets and targets; may be repeated")
	fl.StringArrayVar(&f.allowHosts, "allow-host", nil, "host that stories may send load to, beside loopback and containers; may be repeated")
}

// target is all of --target.
func (f *storyFlags) target() string { return strings.Join(f.targets, ",") }

func (f *storyFlags) options() (scenarios.Options, error) {
	if !(f.scale > 0) {
		return scenarios.Options{}, fmt.Errorf("--scale %v: write a number above 0", f.scale)
	}
	set := make(map[string]string)
	for _, kv := range f.set {
		k, v, ok := strings.Cut(kv, "=")
		if !ok || k == "" {
			return scenarios.Options{}, fmt.Errorf("--set %q: write KEY=VALUE", kv)
		}
		set[k] = v
	}
	return scenarios.Options{
		Seed: f.seed, Scale: f.scale, Target: f.target(), Tags: f.tags, Set: set,
		Profiles: f.profiles, AllowHosts: f.allowHosts,
	}, nil
}

// load compiles the stories; problems are told on stderr, one a line, and end in exit code 2.
func (f *storyFlags) load(c *cobra.Command, paths []string) (*scenarios.Suite, error) {
	o, err := f.options()
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	suite, err := scenarios.Load(paths, o)
	var problems scenarios.Problems
	if errors.As(err, &problems) {
		for _, p := range problems {
			fmt.Fprintln(c.ErrOrStderr(), p.Error())
		}
		return nil, &exitError{code: exitUsage}
	}
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	return suite, nil
}

func runCommand(g *globals) *cobra.Command {
	var stories storyFlags
	var out string
	var staff staffing
	c := &cobra.Command{
		Use: "run [PATH...]", Short: "Run stories and judge them", Long: runHelp, Example: runExamples,
		RunE: func(c *cobra.Command, paths []string) error {
			log, err := g.logger(c.ErrOrStderr())
			if err != nil {
				return err
			}
			suite, err := stories.load(c, paths)
			if err != nil {
				return err
			}
			if out == "" {
				out = filepath.Join("runs", time.Now().Format("20060102-150405"))
			}
			if err := render.Claim(out); err != nil {
				return &exitError{exitUsage, err}
			}
			if err := staff.check(suite, c.ErrOrStderr()); err != nil {
				return &exitError{exitUsage, err}
			}
			if err := os.RemoveAll(filepath.Join(out, render.BusFolder)); err != nil { // of a run that ended before its result
				return &exitError{exitUsage, err}
			}
			if err := staff.carries(suite); err != nil {
				return &exitError{exitInvalid, err}
			}
			r := &rehearsal{
				w: c.OutOrStdout(), quiet: g.quiet, terminal: isTerminal(c.OutOrStdout()), log: log, out: out, staff: staff,
			}
			ctx, release := interruptible(c.Context())
			defer release()
			go collectByLoad(ctx, room)
			run := &reports.Run{Info: stories.info(paths)}
			run.Info.Started = time.Now()
			r.info = run.Info
			outcomes, err := suite.Run(ctx, r, scenarios.Progress{})
			run.Info.Ended = time.Now()
			if err != nil {
				return &exitError{exitInvalid, err}
			}
			return finish(ctx, c, run, r, outcomes, out)
		},
	}
	stories.register(c)
	staff.register(c)
	c.Flags().StringVar(&out, "out", "", "folder for the result (default runs/<time>, with runs/last pointing to it)")
	return c
}

// info describes the run before it starts.
func (f *storyFlags) info(paths []string) reports.Info {
	again := append([]string{"myriad", "run"}, paths...)
	again = append(again, "--seed", strconv.FormatUint(f.seed, 10))
	if f.scale != 1 {
		again = append(again, "--scale", strconv.FormatFloat(f.scale, 'g', -1, 64))
	}
	add := func(flag string, values ...string) {
		for _, v := range values {
			if v != "" {
				again = append(again, flag, v)
			}
		}
	}
	add("--target", f.target())
	add("--tags", f.tags)
	add("--set", f.set...)
	add("--profile", f.profiles...)
	add("--allow-host", f.allowHosts...)
	return reports.Info{
		Schema: reports.Schema, Version: version(), GoVersion: goVersion(), Command: again,
		Seed: f.seed, Scale: f.scale, Host: host(),
	}
}

// finish writes the folder, tells the verdict and turns it into an exit code.
func finish(ctx context.Context, c *cobra.Command, run *reports.Run, r *rehearsal, outcomes []scenarios.Outcome, out string) error {
	run.Info.Target, run.Info.Workers = r.target, r.staffs
	var unhealthy error
	for _, o := range outcomes {
		run.Stories = append(run.Stories, o.Result)
		run.Info.Plans = append(run.Info.Plans, o.Story.Plan.Hash())
		if h := new(sim.NotHealthy); errors.As(o.Err, &h) && unhealthy == nil {
			unhealthy = o.Err
		}
	}
	if err := render.Write(out, run); err != nil {
		return &exitError{exitInvalid, err}
	}
	_ = os.RemoveAll(filepath.Join(out, render.BusFolder)) // all of it is in the result now
	pointLast(out)
	if r.quiet {
		quietly(c.OutOrStdout(), run)
	} else if err := render.Text(c.OutOrStdout(), run, render.TextOptions{
		Color: r.terminal && os.Getenv("NO_COLOR") == "", Dir: out,
	}); err != nil {
		return &exitError{exitInvalid, err}
	}
	if os.Getenv("GITHUB_ACTIONS") == "true" {
		fmt.Fprint(c.OutOrStdout(), render.Annotations(run))
	}
	if code := exitCode(run, unhealthy != nil, ctx.Err() != nil); code != exitPassed {
		return &exitError{code, unhealthy}
	}
	return nil
}

// quietly prints a line a story, and what failed.
func quietly(w io.Writer, run *reports.Run) {
	for _, s := range run.Stories {
		fmt.Fprintf(w, "%s: %s:%d: %s\n", s.Verdict, s.Plan.Story.URI, s.Plan.Story.Line, s.Plan.Story.Name)
		for _, reason := range s.Reasons {
			fmt.Fprintf(w, "  %s\n", reason)
		}
		for _, f := range s.Findings {
			if f.Verdict != reports.Passed {
				value, limit := render.Pair(f.Value, f.Limit, f.Unit)
				fmt.Fprintf(w, "  %s: %s: %s: %s, limit %s %s\n", f.Verdict, f.Check.Origin, f.Check.Text, value, limit, f.Note)
			}
		}
	}
}

// exitCode is the run's verdict as a number. What was interrupted says so first; a failure that can
// be trusted weighs more than one story that could not be judged.
func exitCode(run *reports.Run, unhealthy, interrupted bool) int {
	verdicts := make(map[reports.Verdict]bool)
	for _, s := range run.Stories {
		verdicts[s.Verdict] = true
	}
	switch {
	case interrupted:
		return exitInterrupted
	case unhealthy:
		return exitNotHealthy
	case verdicts[reports.Failed]:
		return exitFailed
	case verdicts[reports.Invalid], verdicts[reports.NotJudged], verdicts[reports.Aborted]:
		return exitInvalid
	}
	return exitPassed
}

// pointLast makes runs/last point at a default result folder; a failure is not worth a word.
func pointLast(out string) {
	parent, name := filepath.Split(filepath.Clean(out))
	if filepath.Clean(parent) != "runs" {
		return
	}
	last := filepath.Join(parent, "last")
	_ = os.Remove(last)
	_ = os.Symlink(name, last)
}
