package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/myriad-iot/myriad/reports/render"
	"github.com/myriad-iot/myriad/sim"
)

func planCommand(g *globals) *cobra.Command {
	var stories storyFlags
	var asJSON bool
	c := &cobra.Command{
		Use: "plan [PATH...]", Short: "Show what stories compile to, and start nothing",
		Long: `Compile stories and print their plans: what happens when, what it needs, what will be judged.
With --json it is the whole plan, which is pure data: two equal plans do the same.`,
		Example: "  myriad plan features/reconnect_storm.feature\n  myriad plan storm.feature:17 --json > plan.json",
		RunE: func(c *cobra.Command, paths []string) error {
			suite, err := stories.load(c, paths)
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(c.OutOrStdout())
				enc.SetIndent("", "  ")
				plans := []*sim.Plan{}
				for _, s := range suite.Stories {
					plans = append(plans, &s.Plan)
				}
				return enc.Encode(plans)
			}
			for _, s := range suite.Stories {
				fmt.Fprint(c.OutOrStdout(), planText(&s.Plan, s.NotJudged))
			}
			return nil
		},
	}
	stories.register(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print the plans as a JSON array")
	return c
}

// planText is a plan for people.
func planText(p *sim.Plan, notJudged string) string {
	out := fmt.Sprintf("%s:%d  %s\n  plan %s, seed %d, target %s %s\n", p.Story.URI, p.Story.Line, p.Story.Name,
		p.Hash()[:12], p.Seed, p.Target.Kind, p.Target.Name)
	if notJudged != "" {
		out += "  not judged: " + notJudged + "\n"
	}
	messages := 0.0
	for i := range p.Fleets {
		f := &p.Fleets[i]
		messages += f.Rate() * p.Duration().D().Seconds()
		b := f.Data()
		out += fmt.Sprintf("  fleet %-12s %9s %s devices, %s %s QoS %d, to %s every %s: %s\n", f.Name, render.Count(f.Count),
			f.Model.Name, b.Channel, b.Version, b.QoS, f.Report.Topic, f.Report.Every, render.Rate(f.Rate()))
	}
	out += fmt.Sprintf("  %s sockets, about %s messages in at most %s\n", render.Count(p.Devices()),
		render.Count(int64(messages)), p.Duration().D().Round(time.Second))
	for _, a := range p.Acts {
		start := "+" + a.At.D().String()
		if a.Segment > 0 {
			start = fmt.Sprintf("settled(%d)+%s", a.Segment, a.At)
		}
		out += fmt.Sprintf("  %12s  %s\n", start, a.Text)
	}
	for _, checks := range [][]sim.Check{p.Guards, p.Checks} {
		for _, c := range checks {
			out += fmt.Sprintf("  %12s  %s\n", "judge", c.Text)
		}
	}
	return out
}

func lintCommand(g *globals) *cobra.Command {
	var stories storyFlags
	c := &cobra.Command{
		Use: "lint [PATH...]", Short: "Check stories, and start nothing",
		Long: `Check stories as run does before it starts: undefined, ambiguous or badly typed steps, unknown names,
assertions without load, percentiles of too few samples. Each mistake is one line, file:line: what is
wrong: what would be right. Exit code 2 if there is any.`,
		Example: "  myriad lint features/\n  myriad lint --profile plant.yaml plant.feature",
		RunE: func(c *cobra.Command, paths []string) error {
			suite, err := stories.load(c, paths)
			if err != nil {
				return err
			}
			if !g.quiet {
				fmt.Fprintf(c.OutOrStdout(), "%d stories, no mistakes\n", len(suite.Stories))
			}
			return nil
		},
	}
	stories.register(c)
	return c
}
