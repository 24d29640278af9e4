package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/myriad-iot/myriad/reports/folder"
	"github.com/myriad-iot/myriad/reports/render"
	"github.com/myriad-iot/myriad/scenarios/profiles"
	"github.com/myriad-iot/myriad/sim/rehearsal"
)

func reportCommand() *cobra.Command {
	report := &cobra.Command{Use: "report", Short: "Work with result folders"}
	var files, drawn []string
	for _, f := range render.Formats() {
		files = append(files, fmt.Sprintf("  %-16s %s", f.Name, f.Holds))
		if f.Drawn() {
			drawn = append(drawn, f.Name)
		}
	}
	report.AddCommand(&cobra.Command{
		Use: "build DIR", Short: "Render the report of a result folder again",
		Long: "Render " + strings.Join(drawn, ", ") + `
from the other files of a result folder. It is a pure function of the folder. When the run was killed before it
could write its result, that is made from what its workers had shipped: a story that had begun is invalid, one that
had not is aborted.

What is in a result folder:
` + strings.Join(files, "\n"),
		Example: "  myriad report build runs/last",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			said, err := rebuild(c.Context(), args[0])
			if err != nil {
				return &exitError{exitUsage, err}
			}
			if said != "" {
				fmt.Fprintln(c.OutOrStdout(), said)
			}
			return nil
		},
	})
	return report
}

func schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use: "schema profile|summary", Short: "Print the JSON Schema of profiles or of summary.json",
		Example:   "  myriad schema profile > profile.schema.json\n  myriad schema summary",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"profile", "summary"},
		RunE: func(c *cobra.Command, args []string) error {
			print := profiles.Schema
			if args[0] == "summary" {
				print = render.SummarySchema
			}
			b, err := print()
			if err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "%s\n", b)
			return nil
		},
	}
}

// rebuild renders the result in dir again, or makes that of a run that was killed, and then says so.
func rebuild(ctx context.Context, dir string) (said string, err error) {
	if !folder.Made(dir) { // a copy from elsewhere: some tools leave hidden files out
		return "", render.Build(dir)
	}
	out, err := render.Take(dir)
	if err != nil {
		return "", err
	}
	defer out.Close()
	if render.Whole(out.Dir) { // then the run was killed after it had written its result, if it was
		return "", errors.Join(render.Rebuild(out), out.Drop(render.BusFolder))
	}
	run, err := rehearsal.Salvage(ctx, filepath.Join(out.Dir, render.BusFolder))
	switch {
	case err != nil:
		return "", err
	case run == nil:
		return "", render.Rebuild(out)
	}
	if err := errors.Join(render.Fill(out, run), out.Drop(render.BusFolder)); err != nil {
		return "", err
	}
	if run.Info.Started.After(began(filepath.Join(filepath.Dir(filepath.Clean(out.Dir)), lastLink))) {
		err = pointLast(out)
	}
	return fmt.Sprintf("%s: the run was killed before it wrote its result. This report is made of what its workers had shipped by then, and is %s: see %s",
		out.Dir, run.Verdict(), filepath.Join(out.Dir, render.Page)), err
}
