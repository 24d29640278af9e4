package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"
)

// Sweep removes the containers, with their volumes and networks, that a killed process of this machine left
// behind. Those of a run that lives are never touched. Without an engine there is nothing to do.
// A nil log discards.
func Sweep(ctx context.Context, log *slog.Logger) error {
	cli, err := connect(ctx)
	if errors.Is(err, errNoEngine) {
		return nil
	}
	if err != nil {
		return err
	}
	defer cli.Close()
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return sweep(ctx, cli, log)
}

func sweep(ctx context.Context, cli *client.Client, log *slog.Logger) error {
	list, err := cli.ContainerList(ctx, client.ContainerListOptions{
		All:     true,
		Filters: make(client.Filters).Add("label", labelMark+"=1"),
	})
	if err != nil {
		return fmt.Errorf("list containers: %w", err)
	}
	var errs []error
	for _, c := range list.Items {
		if !orphaned(c.Labels) {
			continue
		}
		log.Info("removing a container that a killed run left behind",
			"container", c.ID[:12], "image", c.Image, "run", c.Labels[labelRun], "pid", c.Labels[labelPID])
		errs = append(errs, remove(ctx, cli, c.ID))
	}
	return errors.Join(append(errs, sweepNetworks(ctx, cli, log))...)
}

// remove removes a container in whatever state it is, with its volumes. One that is gone, or that
// somebody else is removing, is success.
func remove(ctx context.Context, cli *client.Client, id string) error {
	_, err := cli.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
	if err != nil && !errdefs.IsNotFound(err) && !errdefs.IsConflict(err) {
		return fmt.Errorf("remove container %.12s: %w", id, err)
	}
	return nil
}
