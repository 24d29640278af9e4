package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/myriad-iot/myriad/reports/folder"
	"github.com/myriad-iot/myriad/scenarios"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/cluster/deploy"
)

const deployHelp = `Write the files that start one story with its workers elsewhere, to stdout or into a folder; nothing is
started. They start "myriad run STORY --expect W --listen 0.0.0.0:4222" and W times "myriad worker --join", and
hold a token that is drawn anew each time: whoever has it can be a worker, and the coordinator.

  compose   compose.yaml, .env and the story, for docker compose
  k8s       myriad.yaml, for kubectl apply: Secret, ConfigMap, Service, a Job for the coordinator and an Indexed
            Job for the workers; Kubernetes 1.29 or later
  ssh       run.sh and the story: copies this program to hosts, runs the coordinator here, and cleans up

The image for compose and k8s is made with docker/myriad/Dockerfile. The story is checked first; its target must
be one that workers reach: an external one, at no loopback address.`

const deployExamples = `  myriad deploy --to compose --workers 4 --out deployed storm.feature --target mqtt://broker.example:1883
  myriad deploy --to k8s --workers 8 --image registry.example/myriad:1 storm.feature:17 --target mqtt://broker.load:1883 | kubectl apply --filename -
  myriad deploy --to ssh --host load1 --host ci@load2 --workers 4 --out deployed storm.feature --target mqtt://broker.example:1883`

// deployment is what the command is asked for.
type deployment struct {
	stories storyFlags
	to, out string
	files   deploy.Deployment
}

func deployCommand() *cobra.Command {
	var d deployment
	c := &cobra.Command{
		Use: "deploy --to compose|k8s|ssh STORY.feature[:LINE]", Short: "Write what starts a run with workers elsewhere",
		Long: deployHelp, Example: deployExamples,
		RunE: func(c *cobra.Command, paths []string) error {
			files, err := d.write(c, paths)
			if err != nil {
				return err
			}
			return d.put(c, files)
		},
	}
	fl := c.Flags()
	fl.StringVar(&d.to, "to", "", "compose, k8s or ssh")
	fl.IntVar(&d.files.Workers, "workers", 1, "workers that carry the devices")
	fl.StringVar(&d.files.Image, "image", "myriad:local", "image of this program, for compose and k8s")
	fl.StringVar(&d.out, "out", "", "folder to write to; only files that it wrote before are replaced (default stdout, each file after a line \"# file: NAME\")")
	fl.StringArrayVar(&d.files.Hosts, "host", nil, "ssh: HOST or USER@HOST that carries workers; may be repeated")
	d.stories.register(c)
	return c
}

var withLine = regexp.MustCompile(`^(.+):([1-9][0-9]*)$`)

// write makes the files. All that can be wrong is said before, with exit code 2.
func (d *deployment) write(c *cobra.Command, paths []string) ([]deploy.File, error) {
	switch {
	case d.to != deploy.Compose && d.to != deploy.Kubernetes && d.to != deploy.SSH:
		return nil, fmt.Errorf("--to %q: write compose, k8s or ssh", d.to)
	case len(paths) != 1:
		return nil, fmt.Errorf("%d stories: name one, STORY.feature or STORY.feature:LINE", len(paths))
	case d.files.Workers < 1:
		return nil, fmt.Errorf("--workers %d: write 1 or more", d.files.Workers)
	case d.to == deploy.SSH && len(d.files.Hosts) == 0:
		return nil, errors.New("--to ssh: name the hosts of the workers: --host HOST")
	case d.to != deploy.SSH && len(d.files.Hosts) > 0:
		return nil, fmt.Errorf("--host: workers of %s are not placed on hosts; it is for --to ssh", d.to)
	case len(d.stories.profiles) > 0:
		return nil, errors.New("--profile: not available: a deployment holds one file, the story")
	}
	if target := d.stories.target(); sim.ConcealAddresses(target) != target {
		return nil, errors.New("--target has a password, which would stand in the files: write ${NAME} in its place, and set the variable where the coordinator runs")
	}
	suite, err := d.stories.load(c, paths)
	if err != nil {
		return nil, err
	}
	if len(suite.Stories) != 1 {
		return nil, fmt.Errorf("%s: workers join for one story, and there are %d: choose one with FILE:LINE", paths[0], len(suite.Stories))
	}
	if err := reachable(suite.Stories[0]); err != nil {
		return nil, err
	}
	path := paths[0]
	if m := withLine.FindStringSubmatch(path); m != nil {
		path = m[1]
		if d.files.Line, err = strconv.Atoi(m[2]); err != nil {
			return nil, err
		}
	}
	if d.files.Story, err = os.ReadFile(path); err != nil {
		return nil, err
	}
	d.files.Name, d.files.Token = filepath.Base(path), rand.Text()
	d.files.Arguments = d.stories.again(nil, d.stories.set)[2:] // without "myriad run"
	return deploy.Files(d.to, d.files)
}

// reachable refuses a target that is there for the coordinator only.
func reachable(s *scenarios.Story) error {
	t := &s.Plan.Target
	if t.Kind != sim.TargetExternal {
		return fmt.Errorf("the story's target is %s, which is on the coordinator's machine, where workers do not reach it: give --target mqtt://HOST:PORT", t.Kind)
	}
	for i := range s.Plan.Fleets {
		for _, b := range s.Plan.Fleets[i].Conversations() {
			if t.EmbeddedServes(b.Channel) {
				return fmt.Errorf("the target has no %s, and the embedded one is on the coordinator's machine, where workers do not reach it: name both in --target", b.Channel)
			}
		}
	}
	for scheme, list := range t.Endpoints {
		for _, address := range list {
			host, _, _ := sim.SplitAddress(address)
			if ip, err := netip.ParseAddr(host); host == "localhost" || err == nil && ip.IsLoopback() {
				return fmt.Errorf("the target %s://%s is on each machine its own: name one that workers elsewhere reach, with --target", scheme, address)
			}
		}
	}
	return nil
}

// put writes the files into the folder, or prints them. A file of the user's in their place is an error before any
// is written.
func (d *deployment) put(c *cobra.Command, files []deploy.File) error {
	if d.out == "" {
		for _, f := range files {
			if _, err := fmt.Fprintf(c.OutOrStdout(), "# file: %s\n%s", f.Name, f.Text); err != nil {
				return err
			}
		}
		return nil
	}
	list := make([]folder.File, len(files))
	for i, f := range files {
		list[i] = folder.File(f)
	}
	if err := folder.Put(d.out, list); err != nil {
		return err
	}
	for _, f := range files {
		fmt.Fprintln(c.OutOrStdout(), filepath.Join(d.out, f.Name))
	}
	return nil
}
