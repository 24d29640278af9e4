package engine

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"time"

	"github.com/moby/moby/client"
)

const (
	// saveTimeout is how long a service may take to write its data when it is told to.
	saveTimeout = 20 * time.Second
	// maxSaved is how large a backup may be, in bytes: it is kept in memory.
	maxSaved = 512 << 20
)

// save tells the service to write its data, and keeps what it wrote as a backup of that name, instead of an earlier one.
func (b *box) save(ctx context.Context, name string) error {
	if err := b.lives(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, saveTimeout)
	defer cancel()
	file := path.Join(b.what.Data, b.what.Saves.File)
	before := b.written(ctx, file)
	if _, err := b.cli.ContainerKill(ctx, b.id, client.ContainerKillOptions{Signal: b.what.Saves.Signal}); err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	for now := before; !now.After(before); now = b.written(ctx, file) {
		if ctx.Err() != nil {
			return fmt.Errorf("back up: it has not written %s within %v", file, saveTimeout)
		}
		time.Sleep(tryPause)
	}
	from, err := b.cli.CopyFromContainer(ctx, b.id, client.CopyFromContainerOptions{SourcePath: file})
	if err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	defer func() { _ = from.Content.Close() }()
	text, err := io.ReadAll(io.LimitReader(from.Content, maxSaved+1))
	switch {
	case err != nil:
		return fmt.Errorf("back up: %w", err)
	case len(text) > maxSaved:
		return fmt.Errorf("back up: %s has more than %d MB", file, maxSaved>>20)
	}
	if _, err := tar.NewReader(bytes.NewReader(text)).Next(); err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	if b.saved == nil {
		b.saved = make(map[string][]byte)
	}
	b.saved[name] = text
	return nil
}

// written is when a file in the container was written last; long ago, if it is not there.
func (b *box) written(ctx context.Context, file string) time.Time {
	stat, err := b.cli.ContainerStatPath(ctx, b.id, client.ContainerStatPathOptions{Path: file})
	if err != nil {
		return time.Time{}
	}
	return stat.Stat.Mtime
}

// restore puts the data of a backup in the place of the service's own. It must be down.
func (b *box) restore(ctx context.Context, name string) error {
	text, ok := b.saved[name]
	if !ok {
		return errors.New("restore: no backup " + name)
	}
	_, err := b.cli.CopyToContainer(ctx, b.id, client.CopyToContainerOptions{
		DestinationPath: b.what.Data, Content: bytes.NewReader(text), CopyUIDGID: true, // the service may not be root
	})
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	return nil
}
