package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

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
	if state, err := b.cli.ContainerInspect(ctx, b.id, client.ContainerInspectOptions{}); err == nil && !state.Container.State.Running {
		return &sim.ServiceEnded{Why: fmt.Sprintf("exit code %d: %s", state.Container.State.ExitCode, b.lastWords(ctx))}
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
