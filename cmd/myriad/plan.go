package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/render"
	"github.com/myriad-iot/myriad/scenarios"
	"github.com/myriad-iot/myriad/scenarios/words"
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
					reports.Redact(&s.Plan, stories.secrets())
					plans = append(plans, &s.Plan)
				}
				return enc.Encode(plans)
			}
			out := &outlet{w: c.OutOrStdout(), hide: reports.Concealer(stories.secrets())}
			for _, s := range suite.Stories {
				fmt.Fprint(out, planText(&s.Plan, s.NotJudged))
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
	if p.Target.Name != "" && p.Target.Name != target {
		target += fmt.Sprintf(" %q", p.Target.Name)
	}
	if p.Target.Nodes > 0 {
		target += fmt.Sprintf(", a cluster of %d", p.Target.Nodes)
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
	nominal := nominalTime(p)
	for i := range p.Fleets {
		f := &p.Fleets[i]
		out += fmt.Sprintf("  fleet %-12s %9s %s devices, %s%s: %s", f.Name, render.Count(f.Count),
			f.Model.Name, f.Speech(), sending(f), render.Rate(f.Rate()))
		if p.Connects(f.Name) {
			rate += f.Rate()
			sockets += f.Count * len(f.Conversations())
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

// sending says where a fleet's messages go, and how often.
func sending(f *sim.Fleet) string {
	text := ""
	for i := range f.Skills {
		if k := &f.Skills[i]; k.Every > 0 {
			what := ""
			if k.Name != sim.SkillReport {
				what = string(k.Name) + " "
			}
			how, off := "every", ""
			if k.Full {
				how = "at every full"
			}
			if k.Off > 0 {
				off = " with clocks off by up to " + words.PrintDuration(k.Off.D())
			}
			text += fmt.Sprintf(", %sto %s %s %s%s", what, k.Topic, how, words.PrintDuration(k.Every.D()), off)
		}
	}
	if m := f.Data().MQTT; m.Lifetime > 0 {
		text += ", reconnecting every " + words.PrintDuration(m.Lifetime.D())
		if m.Early > 0 {
			text += fmt.Sprintf(" or up to %.4g%% earlier", 100*m.Early)
		}
	}
	return text
}

// nominalTime is for how long the plan lets a device report that is connected all the time: the load at work,
// in seconds of the declared rate.
func nominalTime(p *sim.Plan) time.Duration {
	var load pace.Load
	var now time.Duration
	for i := range p.Acts {
		a := &p.Acts[i]
		if a.Kind == sim.ActLoad {
			load = load.With(now, a.Load)
		}
		now += a.Hold.D()
	}
	return load.Integral(now)
}

// long is how long a story takes that is named with its length.
const long = time.Hour

func them(n int) string {
	if n == 1 {
		return "it"
	}
	return "them"
}

func lintCommand(g *globals) *cobra.Command {
	var stories storyFlags
	c := &cobra.Command{
		Use: "lint [PATH...]", Short: "Check stories, and start nothing",
		Long: `Check stories as run does before it starts: undefined, ambiguous or badly typed steps, unknown names,
assertions without load, percentiles of too few samples. Each mistake is one line, file:line: what is
wrong: what would be right. Exit code 2 if there is any. A story that its target cannot judge is no
mistake, and is named; so is one that takes an hour or more, a fleet that sends less often than the story
is long, what goes on meanwhile for longer than the story, and a password that run would not find on this
machine: in the environment, or in a file.`,
		Example: "  myriad lint features/\n  myriad lint --profile plant.yaml plant.feature",
		RunE: func(c *cobra.Command, paths []string) error {
			suite, err := stories.load(c, paths)
			if err != nil {
				return err
			}
			var total time.Duration
			for _, p := range suite.Lacks() {
				p.Text = "run would refuse this on this machine: " + p.Text
				fmt.Fprintln(c.OutOrStdout(), p.Error())
			}
			for _, s := range suite.Stories {
				d := s.Plan.Duration().D()
				if s.Plan.Target.Kind == sim.TargetVirtual {
					fmt.Fprintf(c.OutOrStdout(), "%s:%d: takes about %s of virtual time, which passes faster\n", s.Plan.Story.URI, s.Plan.Story.Line, words.PrintDuration(d.Round(time.Second)))
				} else if total += d; d >= long {
					fmt.Fprintf(c.OutOrStdout(), "%s:%d: takes about %s\n", s.Plan.Story.URI, s.Plan.Story.Line, words.PrintDuration(d.Round(time.Second)))
				}
				for _, line := range slices.Concat(scenarios.Seldom(&s.Plan), scenarios.Outlast(&s.Plan), scenarios.Short(&s.Plan)) {
					fmt.Fprintln(c.OutOrStdout(), line)
				}
				for _, list := range [][]sim.Check{s.Plan.Guards, s.Plan.Checks} {
					for i := range list {
						if why := list[i].Lacks; why != "" && s.NotJudged == "" {
							fmt.Fprintf(c.OutOrStdout(), "%s: %s: would not be judged: %s\n", list[i].Origin, list[i].Text, why)
						}
					}
				}
				if s.NotJudged != "" {
					fmt.Fprintf(c.OutOrStdout(), "%s:%d: would not be judged: %s\n", s.Plan.Story.URI, s.Plan.Story.Line, s.NotJudged)
				}
			}
			if !g.quiet {
				stories := "1 story"
				if n := len(suite.Stories); n != 1 {
					stories = fmt.Sprintf("%d stories", n)
				}
				if total > 0 {
					stories += fmt.Sprintf(", no mistakes; to run %s takes about %s", them(len(suite.Stories)), words.PrintDuration(total.Round(time.Second)))
				} else {
					stories += ", no mistakes"
				}
				fmt.Fprintln(c.OutOrStdout(), stories)
			}
			return nil
		},
	}
	stories.register(c)
	return c
}
