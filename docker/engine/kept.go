package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/myriad-iot/myriad/docker"
)

// The labels of a container that outlives the process that made it.
const (
	labelKept = "myriad.kept" // the target's name
	labelAt   = "myriad.at"   // where it listens: "mqtt://127.0.0.1:1883", several with spaces
)

// Kept is a container of a target that stays until somebody removes it: see [Target.Keep].
type Kept struct {
	Target string
	ID     string
	Runs   bool     // it has not ended
	At     []string // where it listens, as URLs
}

// keptLabels are those of a container of a target that is kept.
func (t *Target) keptLabels(labels map[string]string, at []docker.Listener) map[string]string {
	if !t.Keep {
		return labels
	}
	var list []string
	for _, l := range at {
		list = append(list, string(l.Scheme)+"://"+loopback(l.Port))
	}
	labels[labelKept], labels[labelAt] = t.Name, strings.Join(list, " ")
	return labels
}

// Leave says goodbye to the engine and lets the containers be, which must be kept.
func (t *Target) Leave() error {
	var errs []error
	for _, b := range t.boxes {
		errs = append(errs, b.cli.Close())
	}
	t.boxes = nil
	return errors.Join(errs...)
}

// Standing lists the containers that are kept, of all targets or of one.
func Standing(ctx context.Context, target string) ([]Kept, error) {
	cli, err := connect(ctx)
	if err != nil {
		return nil, err
	}
	defer cli.Close()
	filter := make(client.Filters).Add("label", labelMark+"=1")
	if filter = filter.Add("label", labelKept); target != "" {
		filter = filter.Add("label", labelKept+"="+target)
	}
	found, err := cli.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: filter})
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	var list []Kept
	for _, c := range found.Items {
		list = append(list, Kept{
			Target: c.Labels[labelKept], ID: c.ID, Runs: c.State == container.StateRunning, At: strings.Fields(c.Labels[labelAt]),
		})
	}
	return list, nil
}

// Remove removes a container that was kept.
func (k *Kept) Remove(ctx context.Context) error {
	cli, err := connect(ctx)
	if err != nil {
		return err
	}
	defer cli.Close()
	return remove(ctx, cli, k.ID)
}

// Logs writes what the container has written so far.
func (k *Kept) Logs(ctx context.Context, w io.Writer) error {
	cli, err := connect(ctx)
	if err != nil {
		return err
	}
	defer cli.Close()
	r, err := cli.ContainerLogs(ctx, k.ID, client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true})
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	defer r.Close()
	_, err = stdcopy.StdCopy(w, w, r)
	return err
}

// Image says which image a container would be made of now, and where that comes from; none: "" and no error.
func Image(ctx context.Context, c *docker.Container) (ref, source string, err error) {
	cli, err := connect(ctx)
	if err != nil {
		return "", "", err
	}
	defer cli.Close()
	all := imagesOf(c, "")
	for _, ref := range []string{all.upstream, all.local} {
		if img, err := all.inspect(ctx, cli, ref); err == nil {
			return img.ref, img.source, nil
		}
	}
	return "", "", nil
}
