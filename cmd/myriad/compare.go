package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/render"
	"github.com/myriad-iot/myriad/scenarios/targets"
	"github.com/myriad-iot/myriad/sim"
)

// compared is what became of a story on a target, in a cell of the table.
type compared struct {
	name    string
	verdict reports.Verdict // empty: the run gave no result
	why     string
}

func targetCompare() *cobra.Command {
	var at []string
	var out string
	c := &cobra.Command{
		Use: "compare STORY...", Short: "Run stories on one target after the other, and print a table", Args: cobra.MinimumNArgs(1),
		Long: `Run stories on one target after the other, each in a process of its own, and print a table of what passed, what failed
and what a target cannot do (not judged), in Markdown. The reports stay in a folder for each target. The exit code is 0
when every story was run to its end everywhere, whatever the verdicts: which of these a broker must pass is yours to say.`,
		Example: "  myriad target compare features/any_broker.feature features/exactly_once.feature\n" +
			"  myriad target compare mine.feature --targets mosquitto,mqtt://127.0.0.1:1883 --out table",
		RunE: func(c *cobra.Command, stories []string) error {
			switch {
			case !c.Flags().Changed("targets"):
				at = targets.Names()
			case len(at) == 0:
				return &exitError{exitUsage, errors.New("--targets names no target: leave it out for all that have a name")}
			}
			self, err := os.Executable()
			if err != nil {
				return err
			}
			for i, target := range at {
				if target == "" || slices.Contains(at[:i], target) {
					return &exitError{exitUsage, fmt.Errorf("--targets: write each target once, and none that is empty: %q", sim.ConcealAddresses(strings.Join(at, ",")))}
				}
				if said, err := exec.CommandContext(c.Context(), self, append([]string{"lint", "--target", target, "--"}, stories...)...).CombinedOutput(); err != nil {
					return &exitError{exitUsage, fmt.Errorf("%s: %s", sim.ConcealAddresses(target), strings.TrimPrefix(strings.TrimSpace(string(said)), "myriad: "))}
				}
			}
			var columns []map[string]compared
			var names []string // where the stories stand, in the order of the first target that told them
			for _, target := range at {
				fmt.Fprintf(c.ErrOrStderr(), "%s ...\n", sim.ConcealAddresses(target))
				column, told, err := compareAt(c.Context(), self, target, filepath.Join(out, folderOf(sim.ConcealAddresses(target))), stories)
				if err != nil { // what is known so far is not thrown away
					return errors.Join(err, compareTable(c.OutOrStdout(), at[:len(columns)], names, columns))
				}
				if columns = append(columns, column); names == nil {
					names = told
				}
			}
			if err := compareTable(c.OutOrStdout(), at, names, columns); err != nil {
				return err
			}
			for i, column := range columns {
				for _, cell := range column {
					if cell.verdict == reports.Aborted {
						return &exitError{exitNotHealthy, fmt.Errorf("%q did not run to its end on %s", cell.name, sim.ConcealAddresses(at[i]))}
					}
				}
			}
			return nil
		},
	}
	c.Flags().StringSliceVar(&at, "targets", nil, "the targets, as for --target (default: all that have a name)")
	c.Flags().StringVar(&out, "out", "compared", "folder for the reports, one below it for each target")
	return c
}

// folderOf is a name for the reports of a target.
func folderOf(target string) string {
	return strings.Map(func(r rune) rune {
		if r == '/' || r == ':' || r == '\\' {
			return '-'
		}
		return r
	}, strings.ReplaceAll(target, "://", "-"))
}

// compareAt runs the stories on a target and returns their verdicts and the names in order.
func compareAt(ctx context.Context, self, target, dir string, stories []string) (map[string]compared, []string, error) {
	run := exec.CommandContext(ctx, self, append([]string{"run", "--target", target, "--quiet", "--out", dir, "--"}, stories...)...)
	run.Cancel = func() error { return run.Process.Signal(syscall.SIGTERM) } // it drains, and removes what it started
	run.WaitDelay = time.Minute
	said, err := run.CombinedOutput()
	var ended *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return nil, nil, ctx.Err()
	case err != nil && !errors.As(err, &ended):
		return nil, nil, err
	case ended != nil && ended.ExitCode() == exitUsage:
		return nil, nil, &exitError{exitUsage, fmt.Errorf("%s: %s", sim.ConcealAddresses(target), strings.TrimPrefix(strings.TrimSpace(string(said)), "myriad: "))}
	}
	d, err := render.Load(dir)
	if err != nil { // it never came so far
		return nil, nil, &exitError{exitNotHealthy, fmt.Errorf("%s: %s", sim.ConcealAddresses(target), strings.TrimPrefix(strings.TrimSpace(string(said)), "myriad: "))}
	}
	column, names := make(map[string]compared), []string(nil)
	for _, s := range d.Run.Stories {
		why := strings.Join(s.Reasons, "; ")
		at := fmt.Sprintf("%s:%d", s.Plan.Story.URI, s.Plan.Story.Line) // several may have one name
		names = append(names, at)
		column[at] = compared{s.Plan.Story.Name, s.Verdict, why}
	}
	return column, names, nil
}

// compareTable writes a row for each story and a column for each target, and below it why something was not passed.
func compareTable(w io.Writer, at, names []string, columns []map[string]compared) error {
	var b strings.Builder
	shown := make([]string, len(at))
	for i := range at {
		shown[i] = sim.ConcealAddresses(at[i])
	}
	fmt.Fprintf(&b, "| story | %s |\n|---|%s\n", strings.Join(shown, " | "), strings.Repeat("---|", len(at)))
	var notes []string
	for _, where := range names {
		name := columns[0][where].name
		row := []string{strings.ReplaceAll(name, "|", `\|`)}
		for i, column := range columns {
			cell := column[where]
			if cell.verdict == "" {
				cell.verdict = "-"
			}
			if cell.why != "" && cell.verdict != reports.Passed {
				notes = append(notes, fmt.Sprintf("- %s on %s: %s", name, shown[i], cell.why))
			}
			row = append(row, string(cell.verdict))
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
	}
	if len(notes) > 0 {
		fmt.Fprintf(&b, "\n%s\n", strings.Join(notes, "\n"))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
