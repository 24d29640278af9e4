package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/myriad-iot/myriad/docker"
	"github.com/myriad-iot/myriad/docker/engine"
	"github.com/myriad-iot/myriad/scenarios/targets"
	"github.com/myriad-iot/myriad/scenarios/words"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/probe"
)

const targetHelp = `The targets that stories and --target can name. "myriad run --target NAME" brings one up by itself and removes it
at the end; these verbs are for having one at hand while you write stories, and for making its image.

Brokers of one kind can be a cluster (nats, rabbitmq), which only a story can ask for: "Given a cluster of 3 rabbitmq
brokers behind a load balancer". The balancer is HAProxy in a container, whose image "target build haproxy" makes; and
"target build prometheus" makes that of what "Given Prometheus in a container watches the run" starts.`

func targetCommand(g *globals) *cobra.Command {
	t := &cobra.Command{
		Use: "target", Short: "List, start, check and build targets", Long: targetHelp,
		Example: "  myriad target list\n  sudo myriad target build rabbitmq      where no registry answers\n  myriad target check rabbitmq\n" +
			"  myriad target up rabbitmq              and later: myriad target down rabbitmq",
	}
	t.AddCommand(targetList(), targetUp(g), targetDown(), targetLogs(), targetCheck(g), targetCompare(), targetBuild())
	for _, verb := range t.Commands() { // what was begun is removed when a signal ends it
		run := verb.RunE
		verb.RunE = func(c *cobra.Command, args []string) error {
			ctx, _, release := interruptible(c.Context())
			defer release()
			c.SetContext(ctx)
			if err := run(c, args); ctx.Err() == nil || err == nil {
				return err
			}
			return &exitError{exitInterrupted, errors.New("interrupted")}
		}
	}
	return t
}

// service finds the container of a target by name.
func service(name string) (*targets.Entry, error) {
	names := targets.Names(sim.TargetContainer)
	if _, err := words.OneOf("target", name, names); err != nil {
		return nil, &exitError{exitUsage, fmt.Errorf("%w, which run in containers", err)}
	}
	e, _ := targets.Find(name)
	return &e, nil
}

func targetList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List targets: what each serves, its image, and which are up", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			err := engine.Sweep(c.Context(), nil)
			standing, unknown := engine.Standing(c.Context(), "")
			err = errors.Join(err, unknown)
			w := tabwriter.NewWriter(c.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "NAME\tSERVES\tDOES NOT SUPPORT\tIMAGE\tUP AT")
			for _, e := range targets.Table() {
				image, up := "none needed", "-"
				if e.Kind == sim.TargetContainer {
					image = imageOf(c.Context(), e.Name, &e.Containers[0], err)
				}
				for _, k := range standing {
					if k.Target == e.Name {
						up = strings.Join(k.At, " ")
						if !k.Runs {
							up = "ended: target down " + e.Name
						}
					}
				}
				for i, s := range e.Services() {
					name := e.Name
					if i > 0 {
						name, image, up = "", "", ""
					}
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", name, commas(s.Schemes), commas(s.Lacks), image, up)
				}
			}
			for _, h := range helpers() {
				fmt.Fprintf(w, "%s\t%s\t-\t%s\t\n", h.name, h.does, imageOf(c.Context(), h.name, &h.container, err))
			}
			if flushed := w.Flush(); flushed != nil {
				return flushed
			}
			if err != nil {
				fmt.Fprintln(c.ErrOrStderr(), "myriad:", err)
			}
			return nil
		},
	}
}

// helper is a container that is no target, and stands beside one where a story wants it.
type helper struct {
	name      string // what target build calls its image
	does      string
	container docker.Container
}

func helpers() []helper {
	return []helper{
		{"haproxy", "before clusters of " + strings.Join(targets.Clusters(), ", "), docker.HAProxy()},
		{"prometheus", "watches runs", docker.Prometheus()},
	}
}

// imageOf says which image a container would be made of; unknown is why that is not known.
func imageOf(ctx context.Context, name string, of *docker.Container, unknown error) string {
	if unknown != nil {
		return "?"
	}
	ref, _, err := engine.Image(ctx, of)
	switch {
	case err != nil:
		return "?"
	case ref == "":
		return "not here: it is pulled, or target build " + name
	}
	return ref
}

func commas[T ~string](list []T) string {
	var text []string
	for _, one := range list {
		text = append(text, string(one))
	}
	if len(text) == 0 {
		return "-"
	}
	return strings.Join(text, ", ")
}

// containers makes the target of an entry, which is ready when a message has gone through it.
func containers(g *globals, c *cobra.Command, e *targets.Entry) (*engine.Target, error) {
	log, err := g.logger(c.ErrOrStderr())
	if err != nil {
		return nil, err
	}
	p := &sim.Plan{Target: sim.TargetSpec{Kind: e.Kind, Name: e.Name, Login: e.Containers[0].Login}}
	return &engine.Target{
		Name: e.Name, Containers: e.Containers, Log: log,
		Ready: func(ctx context.Context, at sim.Endpoints) error { return probe.Check(ctx, p, at) },
	}, nil
}

// unhealthy gives the error of a target that did not come up the exit code that run gives it.
func unhealthy(err error) error {
	if err == nil {
		return nil
	}
	return &exitError{exitNotHealthy, err}
}

func targetUp(g *globals) *cobra.Command {
	return &cobra.Command{
		Use: "up NAME", Short: "Start a target in a container and leave it up", Args: cobra.ExactArgs(1),
		Long:    "Start a target in a container, wait until a message has gone through it, say where it listens, and leave it up until\n\"myriad target down\". It listens on this machine only.",
		Example: "  myriad target up mosquitto\n  myriad run storm.feature --target mqtt://127.0.0.1:PORT",
		RunE: func(c *cobra.Command, args []string) error {
			e, err := service(args[0])
			if err != nil {
				return err
			}
			standing, err := engine.Standing(c.Context(), e.Name)
			if err != nil {
				return unhealthy(err)
			}
			if len(standing) > 0 {
				return again(c, e, &standing[0])
			}
			t, err := containers(g, c, e)
			if err != nil {
				return err
			}
			t.Keep = true
			at, err := t.Start(c.Context())
			if err != nil {
				return unhealthy(err)
			}
			facts := t.Describe()
			fmt.Fprintf(c.OutOrStdout(), "%s %s is up, from %s (%s)\n", e.Name, facts["version"], facts["image"], facts["source"])
			door := "" // which anybody may know: the service takes any password
			if l := e.Containers[0].Login; l.Username != "" {
				door = url.UserPassword(l.Username, l.Password.Reveal()).String() + "@"
			}
			fmt.Fprintf(c.OutOrStdout(), "  use it     myriad run STORY --target mqtt://%s%s\n  remove it  myriad target down %s\n", door, at.Of(sim.SchemeMQTT, 0), e.Name)
			return t.Leave()
		},
	}
}

// again says that a target is up already, if a message goes through it.
func again(c *cobra.Command, e *targets.Entry, k *engine.Kept) error {
	at := make(sim.Endpoints)
	for _, url := range k.At {
		scheme, address, err := sim.ParseEndpoint(url, sim.SchemeMQTT)
		if err == nil && scheme == sim.SchemeMQTT {
			at[scheme] = append(at[scheme], address)
		}
	}
	err := errors.New("it has ended")
	if k.Runs {
		err = probe.Check(c.Context(), &sim.Plan{Target: sim.TargetSpec{Kind: e.Kind, Name: e.Name, Login: e.Containers[0].Login}}, at)
	}
	if err != nil {
		return unhealthy(fmt.Errorf("%s was started before, and does not work: %w: remove it with myriad target down %s", e.Name, err, e.Name))
	}
	fmt.Fprintf(c.OutOrStdout(), "%s is up already: %s\n", e.Name, strings.Join(k.At, " "))
	return nil
}

func targetDown() *cobra.Command {
	return &cobra.Command{
		Use: "down [NAME]", Short: "Remove what target up has started, and what killed runs left behind", Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			name := strings.Join(args, "")
			if name != "" {
				if _, err := service(name); err != nil {
					return err
				}
			}
			standing, err := engine.Standing(c.Context(), name)
			if err != nil {
				return unhealthy(err)
			}
			for i := range standing {
				if err := standing[i].Remove(c.Context()); err != nil {
					return unhealthy(err)
				}
				fmt.Fprintln(c.OutOrStdout(), standing[i].Target, "is removed")
			}
			if len(standing) == 0 {
				fmt.Fprintln(c.OutOrStdout(), "nothing is up")
			}
			return unhealthy(engine.Sweep(c.Context(), nil))
		},
	}
}

func targetLogs() *cobra.Command {
	return &cobra.Command{
		Use: "logs NAME", Short: "Print the log of a target that is up", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if _, err := service(args[0]); err != nil {
				return err
			}
			standing, err := engine.Standing(c.Context(), args[0])
			if err != nil {
				return unhealthy(err)
			}
			if len(standing) == 0 {
				return &exitError{exitNotHealthy, fmt.Errorf("%s is not up: myriad target up %s", args[0], args[0])}
			}
			return unhealthy(standing[0].Logs(c.Context(), c.OutOrStdout()))
		},
	}
}

func targetCheck(g *globals) *cobra.Command {
	return &cobra.Command{
		Use: "check [NAME...]", Short: "Start targets, break each in every way, and remove them",
		Long: `Start each target (all, if none is named), have a message go through it, stop it, kill it and freeze it, each time
until a message goes through again, and remove it. Exit code 3 if one of them does not come through.`,
		Example: "  myriad target check rabbitmq",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = targets.Names(sim.TargetContainer)
			}
			var failed []string
			for _, name := range args {
				e, err := service(name)
				if err != nil {
					return err
				}
				t, err := containers(g, c, e)
				if err != nil {
					return err
				}
				if err := check(c, t); err != nil {
					fmt.Fprintf(c.OutOrStdout(), "%s: %v\n", name, err)
					failed = append(failed, name)
				}
			}
			if len(failed) > 0 {
				return &exitError{exitNotHealthy, fmt.Errorf("not well: %s", strings.Join(failed, ", "))}
			}
			return nil
		},
	}
}

// check tells how long a target takes for each thing that can be done to it, and removes it.
func check(c *cobra.Command, t *engine.Target) (err error) {
	ctx := c.Context()
	defer func() { err = errors.Join(err, t.Stop(context.WithoutCancel(ctx))) }()
	began := time.Now()
	said := func(what string) {
		fmt.Fprintf(c.OutOrStdout(), "%s  %-9s %5.1f s\n", t.Name, what, time.Since(began).Seconds())
		began = time.Now()
	}
	at, err := t.Start(ctx)
	if err != nil {
		return err
	}
	said("started")
	s := &t.Containers[0].Service
	h, err := t.Handle(s.Name)
	if err != nil {
		return err
	}
	back := func() error { return h.Up(ctx) }
	for _, power := range s.Breaks {
		switch power {
		case sim.PowerStop, sim.PowerKill:
			err = errors.Join(h.Down(ctx, power == sim.PowerKill), back())
		case sim.PowerFreeze:
			if err = errors.Join(h.Freeze(ctx, true), h.Freeze(ctx, false)); err == nil {
				err = t.Ready(ctx, at)
			}
		case sim.PowerFill, sim.PowerCut, sim.PowerSave, sim.PowerFail:
			continue // its disk has no limit here, it no network of its own, and no answers that could be errors; who saves is not broken
		case sim.PowerLimit:
			if l, ok := h.(sim.Limitable); ok {
				err = errors.Join(l.Limit(ctx, 0.5), t.Ready(ctx, at), l.Limit(ctx, 0))
			}
		}
		if err != nil {
			return fmt.Errorf("%s: %w", power, err)
		}
		said(map[sim.Power]string{sim.PowerStop: "restarted", sim.PowerKill: "killed", sim.PowerFreeze: "frozen", sim.PowerLimit: "limited"}[power])
	}
	return nil
}

func targetBuild() *cobra.Command {
	return &cobra.Command{
		Use: "build [NAME...]", Short: "Build images from Debian packages, where no registry answers",
		Long: `Build the images of targets (all, if none is named) from Debian packages. It needs root, Docker, debootstrap and a
Debian mirror, takes some minutes, and builds only what is not here. Such an image is named myriad/NAME:local, and a
report says which one was used.`,
		Example: "  sudo myriad target build rabbitmq",
		RunE: func(c *cobra.Command, args []string) error {
			for _, name := range args {
				_, err := service(name)
				if err != nil && !slices.ContainsFunc(helpers(), func(h helper) bool { return h.name == name }) {
					return err
				}
			}
			dir, err := os.MkdirTemp("", "myriad-build-")
			if err != nil {
				return err
			}
			defer os.RemoveAll(dir)
			if err := unpack(dir); err != nil {
				return err
			}
			build := exec.CommandContext(c.Context(), "bash", append([]string{filepath.Join(dir, "build-local")}, args...)...)
			build.Stdout, build.Stderr = c.OutOrStdout(), c.ErrOrStderr()
			build.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // debootstrap has children, too
			build.Cancel = func() error { return syscall.Kill(-build.Process.Pid, syscall.SIGTERM) }
			build.WaitDelay = 10 * time.Second
			if err := build.Run(); err != nil {
				return &exitError{exitNotHealthy, fmt.Errorf("the images were not built: %w", err)}
			}
			return nil
		},
	}
}

// unpack writes the folders of the services to dir.
func unpack(dir string) error {
	return fs.WalkDir(docker.Files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == "." {
			return err
		}
		to := filepath.Join(dir, path)
		if d.IsDir() {
			return os.MkdirAll(to, 0o755)
		}
		text, err := docker.Files.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(to, text, 0o755)
	})
}
