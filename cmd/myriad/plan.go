package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/myriad-iot/myriad/reports/render"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/pace"
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
	target := string(p.Target.Kind)
	if p.Target.Name != "" {
		target += fmt.Sprintf(" %q", p.Target.Name)
	}
	for _, addr := range p.Target.Endpoints.All() {
		target += " " + addr
	}
	out := fmt.Sprintf("%s:%d  %s\n  plan %s, seed %d, target %s\n", p.Story.URI, p.Story.Line, p.Story.Name,
		p.Hash()[:12], p.Seed, target)
	if notJudged != "" {
		out += "  not judged: " + notJudged + "\n"
	}
	rate, sockets := 0.0, 0
	connects, nominal := connecting(p)
	for i := range p.Fleets {
		f := &p.Fleets[i]
		out += fmt.Sprintf("  fleet %-12s %9s %s devices, %s, to %s every %s: %s", f.Name, render.Count(f.Count),
			f.Model.Name, speech(f.Data()), f.Report.Topic, f.Report.Every, render.Rate(f.Rate()))
		if connects[f.Name] {
			rate += f.Rate()
			sockets += f.Count
		} else {
			out += "; never connects"
		}
		out += "\n"
	}
	out += fmt.Sprintf("  %s sockets, at most %s messages in at most %s\n", render.Count(sockets),
		render.Count(int64(rate*nominal.Seconds())), p.Duration().D().Round(time.Second))
	for _, a := range p.Acts {
		start := "+" + a.At.D().String()
		if a.Segment > 0 {
			start = fmt.Sprintf("settled(%d)+%s", a.Segment, a.At)
		}
		out += fmt.Sprintf("  %12s  %s\n", start, a.Text)
		for _, r := range a.Load {
			out += fmt.Sprintf("  %12s  %s from %s to %s over %s\n", "", r.Curve, render.Rate(r.From*rate), render.Rate(r.To*rate), r.Over)
		}
	}
	for _, checks := range [][]sim.Check{p.Guards, p.Checks} {
		for _, c := range checks {
			out += fmt.Sprintf("  %12s  %s\n", "judge", c.Text)
		}
	}
	return out
}

// connecting says which fleets connect at all, and for how long the plan lets a device report that
// is connected all the time: the load at work, in seconds of the declared rate.
func connecting(p *sim.Plan) (fleets map[string]bool, nominal time.Duration) {
	fleets = make(map[string]bool)
	var load pace.Load
	var now time.Duration
	for i := range p.Acts {
		a := &p.Acts[i]
		if a.Kind == sim.ActConnect {
			fleets[a.Select.Fleet] = true
		}
		if a.Kind == sim.ActLoad {
			load = load.With(now, a.Load)
		}
		now += a.Hold.D()
	}
	return fleets, load.Integral(now)
}

// speech is a binding in the story's words.
func speech(b *sim.Binding) string {
	switch {
	case b.Channel != sim.ChannelCoAP:
		return fmt.Sprintf("MQTT %s, QoS %d", cmp.Or(b.Version, "3.1.1"), b.QoS)
	case b.QoS == 0:
		return "CoAP, NON"
	}
	return "CoAP, CON"
}

func lintCommand(g *globals) *cobra.Command {
	var stories storyFlags
	c := &cobra.Command{
		Use: "lint [PATH...]", Short: "Check stories, and start nothing",
		Long: `Check stories as run does before it starts: undefined, ambiguous or badly typed steps, unknown names,
assertions without load, percentiles of too few samples. Each mistake is one line, file:line: what is
wrong: what would be right. Exit code 2 if there is any. A story that its target cannot judge is no
mistake, and is named.`,
		Example: "  myriad lint features/\n  myriad lint --profile plant.yaml plant.feature",
		RunE: func(c *cobra.Command, paths []string) error {
			suite, err := stories.load(c, paths)
			if err != nil {
				return err
			}
			for _, s := range suite.Stories {
				if s.NotJudged != "" {
					fmt.Fprintf(c.OutOrStdout(), "%s:%d: would not be judged: %s\n", s.Plan.Story.URI, s.Plan.Story.Line, s.NotJudged)
				}
			}
			if !g.quiet {
				stories := "1 story"
				if n := len(suite.Stories); n != 1 {
					stories = fmt.Sprintf("%d stories", n)
				}
				fmt.Fprintln(c.OutOrStdout(), stories+", no mistakes")
			}
			return nil
		},
	}
	stories.register(c)
	return c
}
