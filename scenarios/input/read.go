// Package input reads what users name: regular files only, not longer than a limit, and for stories only those in
// folders that they may read from. A pipe would wait for ever, a device has no end, and a story that somebody else
// wrote must not show what else is on the machine.
//
// It starts no goroutine.
package input

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// The longest files, in bytes.
const (
	MaxStory = 8 << 20  // an outline of 100,000 rows
	MaxTable = 64 << 20 // a CSV of a million rows
)

// Check says why [Read] would not read the file called name, as far as that is known before it is opened.
func Check(fsys fs.FS, name string, limit int64) error {
	info, err := fs.Stat(fsys, name) // opening a pipe would wait for its other end
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return errors.New("a folder, not a file")
	case !info.Mode().IsRegular():
		return errors.New("a pipe or a device: only regular files are read")
	case info.Size() > limit:
		return fmt.Errorf("%d bytes are too many: at most %d", info.Size(), limit)
	}
	return nil
}

// Read returns the bytes of the regular file called name. A pipe, a device, a socket or a folder is an error
// before it is opened, and so is a file of more than limit bytes. The error is an [*fs.PathError].
func Read(fsys fs.FS, name string, limit int64) ([]byte, error) {
	bad := func(err error) error {
		var p *fs.PathError
		if errors.As(err, &p) {
			err = p.Err
		}
		return &fs.PathError{Op: "read", Path: name, Err: err}
	}
	if err := Check(fsys, name, limit); err != nil {
		return nil, bad(err)
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, bad(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1)) // it may grow, and files of the kernel say that they are empty
	if err != nil {
		return nil, bad(err)
	}
	if int64(len(b)) > limit {
		return nil, bad(fmt.Errorf("too many bytes: at most %d", limit))
	}
	return b, nil
}
