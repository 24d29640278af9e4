package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/myriad-iot/myriad/docker/engine"
	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/folder"
	"github.com/myriad-iot/myriad/reports/render"
	"github.com/myriad-iot/myriad/scenarios"
	"github.com/myriad-iot/myriad/scenarios/targets"
	"github.com/myriad-iot/myriad/scenarios/words"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/rehearsal"
)

const runHelp = `Run stories. PATH is a .feature file, a folder, or file:line for one scenario; without any, the
built-in quickstart runs against the embedded broker and CoAP server.

All stories are checked before anything starts: a mistake costs milliseconds, says file:line and
what would be right, and exits 2. Ctrl-C ends a run in order: no new messages, answers are waited
for, the report is written, exit 5; a second Ctrl-C, more than a second later, ends it at once.
SIGTERM, SIGHUP and a reader of the output that goes away do the same. When a run is killed,
"myriad report build DIR" makes a report of what it had kept.`

const runExamples = `  myriad run
  myriad run features/reconnect_storm.feature --target mosquitto
  myriad run plant.feature:23 --target mqtt://127.0.0.1:1883 --seed 7 --scale 0.1
  myriad run features/ --tags "@load and not @chaos" --out result --quiet
  myriad run site.feature --set site=north --allow-host broker.test.example
  myriad run storm.feature --target mqtt://127.0.0.1:1883 --hook 'sh break.sh'
  myriad run soak.feature --metrics 127.0.0.1:9464`

// storyFlags choose and compile stories; run, plan and lint share them.
type storyFlags struct {
	seed       uint64
	scale      float64
	targets    []string
	tags       string
	set        []string
	profiles   []string
	allowHosts []string
	allowPaths []string
	probeUser  string
	probeFile  string
	hook       string

	passwords bool // read them: the stories will run
}

func (f *storyFlags) register(c *cobra.Command) {
	fl := c.Flags()
	fl.Uint64Var(&f.seed, "seed", 1, "seed of every random choice; the same seed gives the same schedule, values and faults")
	fl.Float64Var(&f.scale, "scale", 1, "multiply the size of every fleet")
	fl.StringSliceVar(&f.targets, "target", nil, "system under test instead of the story's: "+strings.Join(targets.Names(), ", ")+",\nmqtt://HOST:PORT, coap://HOST:PORT (several: comma-separated, or repeated), or the name of a target in a profile")
	fl.StringVar(&f.tags, "tags", "", `tag expression, such as "@smoke and not @chaos"`)
	fl.StringArrayVar(&f.set, "set", nil, "KEY=VALUE: replace ${KEY} in stories; may be repeated")
	fl.StringArrayVar(&f.profiles, "profile", nil, "YAML file with models, fleets and targets; may be repeated")
	fl.StringArrayVar(&f.allowPaths, "allow-path", nil, "folder that stories may read files from, beside their own; may be repeated")
	fl.StringVar(&f.probeUser, "probe-user", "", "user name of Myriad itself (health check, probe, operator) at the brokers; default $"+envProbeUser+",\nor that of the address in --target, or of a fleet whose devices share one")
	fl.StringVar(&f.probeFile, "probe-password-file", "", "file with the password for it; default the environment variable "+envProbePassword)
	fl.StringVar(&f.hook, "hook", "", "command that breaks the services of a target of yours: it gets what to do (kill, stop, start, freeze or thaw)\nand the service's name as its last two arguments, and ends with 0 when it has done it")
	fl.StringArrayVar(&f.allowHosts, "allow-host", nil, "host that stories may send load to, beside loopback and containers; may be repeated")
}

// target is all of --target.
func (f *storyFlags) target() string { return strings.Join(f.targets, ",") }

// The environment variables that say who Myriad itself is to the brokers.
const (
	envProbeUser     = "MYRIAD_PROBE_USER"
	envProbePassword = "MYRIAD_PROBE_PASSWORD"
)

// login is who Myriad itself is to the brokers, if the command line or the environment says it.
func (f *storyFlags) login() (sim.Login, error) {
	l := sim.Login{Username: cmp.Or(f.probeUser, os.Getenv(envProbeUser))}
	switch {
	case l.Username == "" && f.probeFile != "":
		return l, errors.New("--probe-password-file: whose? add --probe-user NAME")
	case f.probeFile != "":
		l.Password = sim.Secret{Ref: "file:" + f.probeFile}
	case l.Username != "" && os.Getenv(envProbePassword) != "":
		l.Password = sim.Secret{Ref: "${" + envProbePassword + "}"}
	}
	return l, nil
}

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
	login, err := f.login()
	if err != nil {
		return scenarios.Options{}, err
	}
	return scenarios.Options{
		Seed: f.seed, Scale: f.scale, Target: f.target(), Tags: f.tags, Set: set,
		Profiles: f.profiles, AllowHosts: f.allowHosts, AllowPaths: f.allowPaths, Login: login, Hook: f.hook,
	}, nil
}

// load compiles the stories; it prints problems on stderr, one per line, and then the exit code is 2.
func (f *storyFlags) load(c *cobra.Command, paths []string) (*scenarios.Suite, error) {
	o, err := f.options()
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	o.Passwords = f.passwords
	suite, err := scenarios.Load(paths, o)
	var problems scenarios.Problems
	if errors.As(err, &problems) {
		said := &outlet{w: c.ErrOrStderr(), hide: reports.Concealer(f.secrets())}
		for _, p := range problems {
			fmt.Fprintln(said, p.Error())
		}
		return nil, &exitError{code: exitUsage}
	}
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	return suite, nil
}

func runCommand(g *globals) *cobra.Command {
	stories := storyFlags{passwords: true}
	var out, overload, metrics string
	var stopWhenInvalid, pace bool
	var staff staffFlags
	var course courseFlags
	c := &cobra.Command{
		Use: "run [PATH...]", Short: "Run stories and judge them", Long: runHelp, Example: runExamples,
		RunE: func(c *cobra.Command, paths []string) error {
			ctx, end, release := interruptible(c.Context())
			defer release()
			screen := c.OutOrStdout()
			terminal := isTerminal(screen)
			hide := reports.Concealer(stories.secrets())
			c.SetOut(&outlet{w: c.OutOrStdout(), closed: end, hide: hide})
			c.Root().SetErr(&outlet{w: c.ErrOrStderr(), closed: end, hide: hide})
			log, err := g.logger(c.ErrOrStderr())
			if err != nil {
				return err
			}
			if err := course.check(); err != nil {
				return &exitError{exitUsage, err}
			}
			last, err := course.lastRun(out)
			if err != nil {
				return &exitError{exitUsage, err}
			}
			if last != nil && len(paths) == 0 {
				paths = last.paths()
			}
			suite, err := stories.load(c, paths)
			if err != nil {
				return err
			}
			if last != nil {
				if last.killed && !g.quiet {
					fmt.Fprintf(c.OutOrStdout(), "the run in %s was killed: none of its stories counts as passed\n", last.dir)
				}
				if suite = last.failed(suite); len(suite.Stories) == 0 {
					fmt.Fprintf(c.OutOrStdout(), "nothing to run: of the chosen stories all that are in %s passed\n", last.dir)
					return nil
				}
			}
			if o := rehearsal.Overload(overload); !slices.Contains(rehearsal.Overloads(), o) {
				return &exitError{exitUsage, fmt.Errorf("--overload %q: write refuse, warn or ignore", overload)}
			}
			if pace && overload == string(rehearsal.OverloadIgnore) {
				return &exitError{exitUsage, errors.New("--pace with --overload ignore: a pace needs what is measured: leave one of them out")}
			}
			if err := staff.check(suite, c.ErrOrStderr()); err != nil {
				return &exitError{exitUsage, err}
			}
			if err := staff.Fits(suite); err != nil {
				return &exitError{exitInvalid, err}
			}
			result, err := resultFolder(out)
			if err != nil {
				return &exitError{exitUsage, err}
			}
			defer result.Close()
			if course.timeout > 0 {
				var enough context.CancelFunc
				ctx, enough = context.WithTimeoutCause(ctx, course.timeout, fmt.Errorf("it took longer than --timeout %v", course.timeout))
				defer enough()
			}
			quiet := io.Discard
			if !g.quiet {
				quiet = c.OutOrStdout()
			}
			figures, err := expose(metrics, stories.secrets(), quiet)
			if err != nil {
				return &exitError{exitUsage, err}
			}
			defer figures.close()
			defer sweeping(ctx, log)()
			display := rehearsal.Display{W: c.OutOrStdout(), Terminal: terminal, Quiet: g.quiet, Width: func() int { return columns(screen) }}
			if d := suite.Duration(); d >= long && !g.quiet && len(suite.Stories) > 1 {
				fmt.Fprintf(c.OutOrStdout(), "%d stories, about %s in all\n", len(suite.Stories), words.PrintDuration(d.Round(time.Second)))
			}
			outcome, err := rehearsal.Run(ctx, suite, rehearsal.Config{
				Staff: staff.Staff, Overload: rehearsal.Overload(overload), Pace: pace, StopWhenInvalid: stopWhenInvalid, FailFast: course.failFast, RetryInvalid: course.retryInvalid,
				Display: display, Exposed: figures.handler(), Info: stories.info(c, paths), Secrets: stories.secrets(), Dir: filepath.Join(result.Dir, render.BusFolder), Log: log,
			})
			if err != nil {
				return &exitError{exitInvalid, err}
			}
			reports.Redact(&outcome.Run, stories.secrets())
			err = finish(c, outcome, ctx.Err() != nil, &display, result)
			figures.last(ctx, &outcome.Run, quiet)
			return err
		},
	}
	stories.register(c)
	staff.register(c)
	course.register(c)
	c.Flags().StringVar(&overload, "overload", string(rehearsal.OverloadRefuse), "a story that asks for more than this machine carries at its own target, as is measured in a second\nbefore big ones: refuse: it is invalid at once; warn: it runs; ignore: nothing is measured")
	c.Flags().StringVar(&metrics, "metrics", "", metricsHelp)
	c.Flags().BoolVar(&pace, "pace", false, "let devices connect and report as much slower as this machine needs, where a story asks for more than it carries;\nthe result says so, and claims on rates are not passed by it")
	c.Flags().BoolVar(&stopWhenInvalid, "stop-when-invalid", isTerminal(os.Stdout), "end a story as soon as its verdict can only be invalid (default on a terminal)")
	c.Flags().StringVar(&out, "out", "", "folder for the result: new, empty, or an earlier result, which is replaced\n(default runs/<time>, with runs/last pointing to it)")
	return c
}

// engineWait is how long a run that is over waits for the engine to have removed what was left behind.
const engineWait = 2 * time.Second

// sweeping removes, while a run goes on, the containers that killed runs have left behind; what it returns ends that.
// No run waits for an engine, or fails because of one that it may not need.
func sweeping(ctx context.Context, log *slog.Logger) (end func()) {
	ctx, stop := context.WithCancel(ctx)
	var removing sync.WaitGroup
	removing.Go(func() {
		if err := engine.Sweep(ctx, log); err != nil {
			log.Debug("could not look for what an earlier run left behind", "err", err)
		}
	})
	return func() {
		time.AfterFunc(engineWait, stop)
		removing.Wait()
		stop()
	}
}

// again is the command that runs the same stories with the same settings; set are those of --set.
func (f *storyFlags) again(paths, set []string) []string {
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
	add("--target", sim.ConcealAddresses(f.target()))
	add("--hook", f.hook)
	add("--probe-user", f.probeUser)
	add("--probe-password-file", f.probeFile)
	add("--tags", f.tags)
	add("--set", set...)
	add("--profile", f.profiles...)
	add("--allow-host", f.allowHosts...)
	add("--allow-path", f.allowPaths...)
	return again
}

// info describes the run before it starts. Its command shows no secret.
func (f *storyFlags) info(c *cobra.Command, paths []string) reports.Info {
	again := f.again(paths, f.concealedSet())
	for _, name := range []string{"workers", "expect", "listen", "source-address", "muster", "lease", "on-worker-loss", "overload", "pace"} {
		if flag := c.Flags().Lookup(name); flag.Changed {
			if flag.Value.Type() == "bool" {
				again = append(again, "--"+name+"="+flag.Value.String())
				continue
			}
			again = append(again, "--"+name, strings.Trim(flag.Value.String(), "[]")) // a list is in brackets
		}
	}
	return reports.Info{
		Schema: reports.Schema, Version: version(), GoVersion: goVersion(), Command: again,
		Seed: f.seed, Scale: f.scale, Host: rehearsal.Host(),
	}
}

// finish tells the verdict, writes the folder and turns the verdict into an exit code. What is told first is known
// even if nothing can be written.
func finish(c *cobra.Command, o *rehearsal.Outcome, interrupted bool, d *rehearsal.Display, out *folder.Folder) error {
	run := &o.Run
	text := render.TextOptions{Color: d.Terminal && os.Getenv("NO_COLOR") == "", Dir: out.Dir}
	if d.Quiet {
		quietly(c.OutOrStdout(), run)
		fmt.Fprint(c.OutOrStdout(), render.Totals(run))
	} else if err := render.Verdicts(c.OutOrStdout(), run, text); err != nil {
		return &exitError{exitInvalid, err}
	}
	if os.Getenv("GITHUB_ACTIONS") == "true" {
		fmt.Fprint(c.OutOrStdout(), render.Annotations(run))
	}
	code := exitCode(run, o.Unhealthy != nil, interrupted)
	err := render.Fill(out, run)
	if errors.Is(err, syscall.ENOSPC) { // what was shipped is worth less than a whole result
		if err = out.Drop(render.BusFolder); err == nil {
			err = render.Fill(out, run)
		}
	}
	if err != nil {
		if code == exitPassed {
			code = exitInvalid // nobody can look at what was found
		}
		return &exitError{code, errors.Join(o.Unhealthy, fmt.Errorf("%s has no report, and what is said above is all there is: %w", out.Dir, err))}
	}
	_ = out.Drop(render.BusFolder) // all of it is in the result now
	if err := pointLast(out); err != nil {
		fmt.Fprintln(c.ErrOrStderr(), "myriad:", err) // the result is there all the same
	}
	if d.Quiet {
		fmt.Fprintf(c.OutOrStdout(), "  result  %s\n", out.Dir)
	} else {
		if err := render.Whereabouts(c.OutOrStdout(), run, text); err != nil {
			return &exitError{exitInvalid, err}
		}
	}
	if code != exitPassed {
		return &exitError{code, o.Unhealthy}
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
				fmt.Fprintf(w, "  %s: %s: %s: %s\n", f.Verdict, f.Check.Origin, f.Check.Text, render.Said(&f))
			}
		}
	}
}

// exitCode is the run's verdict as a number, but that of a run that was interrupted, which says so first. A run
// in which nothing is worse than a story that was not finished tells whether the target was why.
func exitCode(run *reports.Run, unhealthy, interrupted bool) int {
	verdict := run.Verdict()
	switch {
	case interrupted:
		return exitInterrupted
	case verdict == reports.Passed:
		return exitPassed
	case verdict == reports.Failed:
		return exitFailed
	case verdict == reports.Aborted && unhealthy:
		return exitNotHealthy
	}
	return exitInvalid
}

// The folder of results for which none is named; each is named after its start.
const (
	defaultParent = "runs"
	defaultName   = "20060102-150405"
	defaultGlob   = "[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]-[0-9][0-9][0-9][0-9][0-9][0-9]*"
)

// resultFolder takes the folder that --out names, or a new one, and makes room in it: from here on an earlier
// result does not look like this run's.
func resultFolder(out string) (f *folder.Folder, err error) {
	if out == "" {
		f, err = render.TakeNew(defaultParent, time.Now().Format(defaultName))
	} else {
		f, err = render.Take(out)
	}
	if err != nil {
		return nil, err
	}
	if err := f.Renew(render.BusFolder); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// lastLink is the name of the link, in the default place, to the result of the last run.
const lastLink = "last"

// pointLast makes runs/last point to a result folder in runs.
func pointLast(out *folder.Folder) error {
	if filepath.Dir(filepath.Clean(out.Dir)) != defaultParent {
		return nil
	}
	return out.Point(lastLink, defaultGlob)
}
