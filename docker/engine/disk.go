package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	tcexec "github.com/testcontainers/testcontainers-go/exec"

	"github.com/myriad-iot/myriad/sim"
)

// filler is the file that takes all the room on the disk of a service.
const filler = "myriad-filler"

// fill takes all the room that is left on the disk of the service, or gives it back.
func (b *box) fill(ctx context.Context, full bool) error {
	if b.most.Disk == 0 {
		return errors.New("fill: its disk has no limit")
	}
	file := path.Join(b.what.Data, filler)
	command := []string{"rm", "-f", file}
	if full { // dd fails when there is no room, which is what it is for
		command = []string{"sh", "-c", `for size in 65536 512; do dd if=/dev/zero bs=$size >>"$0" 2>/dev/null; done; test -s "$0"`, file}
	}
	if err := b.lives(ctx); err != nil {
		return err
	}
	code, r, err := b.made.Exec(ctx, command, tcexec.WithUser("0"), tcexec.Multiplexed())
	if err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	said, err := io.ReadAll(r)
	if err == nil && code != 0 {
		err = fmt.Errorf("exit code %d: %s", code, strings.TrimSpace(string(said)))
	}
	if err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	return nil
}

// lives is nil while the service runs, else a [sim.ServiceEnded].
func (b *box) lives(ctx context.Context) error {
	state, err := b.cli.ContainerInspect(ctx, b.id, client.ContainerInspectOptions{})
	if err != nil {
		return fmt.Errorf("look at the container: %w", err)
	}
	s := state.Container.State
	if s.Running {
		return nil
	}
	why := fmt.Sprintf("exit code %d", s.ExitCode)
	if s.OOMKilled {
		why = "the kernel ended it, for it had too little memory"
	}
	return &sim.ServiceEnded{Why: why + "; its log: " + b.lastWords(ctx)}
}

// limitMemory lets the container have so many bytes of memory, or 0 for what it was made with. Docker takes a limit away from
// no container: all of the machine's memory is as much as none.
func (b *box) limitMemory(ctx context.Context, bytes int64) error {
	if err := b.lives(ctx); err != nil {
		return err
	}
	to := cmp.Or(bytes, b.most.Memory, b.memory)
	_, err := b.cli.ContainerUpdate(ctx, b.id, client.ContainerUpdateOptions{Resources: &container.Resources{Memory: to, MemorySwap: to}})
	if err != nil {
		return fmt.Errorf("limit the memory of the container: %w", err)
	}
	return nil
}
