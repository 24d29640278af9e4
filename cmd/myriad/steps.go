package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/myriad-iot/myriad/scenarios"
)

func stepsCommand() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use: "steps [search WORD...]", Short: "List the sentences that stories can use",
		Example: "  myriad steps\n  myriad steps search offline\n  myriad steps --format markdown > steps.md",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 1 || len(args) > 0 && args[0] != "search" {
				return fmt.Errorf("write: myriad steps, or: myriad steps search WORD")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			steps := scenarios.Catalogue()
			if len(args) > 1 {
				words := strings.Join(args[1:], " ")
				if steps = scenarios.Search(steps, words); len(steps) == 0 {
					return &exitError{exitUsage, fmt.Errorf("no step has %q: try a shorter word, as in `myriad steps search offline`, or read them all: myriad steps", words)}
				}
			}
			switch format {
			case "text":
				fmt.Fprint(c.OutOrStdout(), scenarios.Text(steps))
			case "markdown":
				fmt.Fprint(c.OutOrStdout(), scenarios.Markdown(steps))
			case "json":
				b, err := scenarios.JSON(steps)
				if err != nil {
					return err
				}
				fmt.Fprintf(c.OutOrStdout(), "%s\n", b)
			default:
				return fmt.Errorf("--format %q: write text, markdown or json", format)
			}
			return nil
		},
	}
	c.Flags().StringVar(&format, "format", "text", "text, markdown or json")
	return c
}
