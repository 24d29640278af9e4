package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/myriad-iot/myriad/reports/render"
	"github.com/myriad-iot/myriad/scenarios/profiles"
)

func reportCommand() *cobra.Command {
	report := &cobra.Command{Use: "report", Short: "Work with result folders"}
	report.AddCommand(&cobra.Command{
		Use: "build DIR", Short: "Render the report of a result folder again",
		Long: `Render junit.xml, metrics.prom, summary.md and report.html from the other files of a result folder.
It is a pure function of the folder. When the run was killed before it could write its result, that is
made from what its workers had shipped, and is invalid.`,
		Example: "  myriad report build runs/last",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			salvaged, err := salvage(c.Context(), args[0])
			if err == nil && !salvaged {
				err = render.Build(args[0])
			}
			if err != nil {
				return &exitError{exitUsage, err}
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
