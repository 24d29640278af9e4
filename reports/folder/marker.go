package folder

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Marker is the name of the file that says what in its folder is Myriad's.
const Marker = ".myriad"

// What a folder with a marker is.
type kind string

const (
	kindResult  kind = "result"  // Myriad's; its files are listed
	kindScratch kind = "scratch" // Myriad's, with whatever is in it
	kindPart    kind = "part"    // a folder in a result: Myriad's; its files are listed
	kindFiles   kind = "files"   // the user's; some files in it are Myriad's
)

// mark is the content of a marker.
type mark struct {
	Note  string            `json:"note"`
	Kind  kind              `json:"kind"`
	Names map[string]string `json:"names,omitempty"` // file or folder: SHA-256 in hex, or "" whatever is in it
}

const note = "Myriad made this file. Myriad replaces or removes only what is listed here, and leaves everything else as it is."

// read returns the marker of dir. The error is fs.ErrNotExist when dir, or a marker in it, is not there.
func read(dir string) (*mark, error) {
	path := filepath.Join(dir, Marker)
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parse(path, b)
}

// parse reads a marker; one without a byte is of a process that ended before it wrote the first.
func parse(path string, b []byte) (*mark, error) {
	if len(b) == 0 {
		return new(mark), nil
	}
	m := new(mark)
	// What follows the first value is of a longer one before, when a process was killed inside save.
	if err := json.NewDecoder(bytes.NewReader(b)).Decode(m); err != nil || m.Note != note {
		return nil, fmt.Errorf("%s is not a file that Myriad wrote: move it away", path)
	}
	return m, nil
}

// lock opens the marker of dir, makes it when there is none, and locks it until file is closed.
func lock(dir string) (file *os.File, m *mark, err error) {
	path := filepath.Join(dir, Marker)
	file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, file.Close())
		}
	}()
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return file, nil, fmt.Errorf("a run is using %s: wait until it ends, or name another folder", dir)
	}
	if err != nil {
		return file, nil, fmt.Errorf("lock %s: %w", path, err)
	}
	m, err = read(dir)
	return file, m, err
}

// save writes the marker into its file, which stays the same one: it is what is locked.
func (m *mark) save(file *os.File) error {
	m.Note = note
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	b = append(b, '\n')
	if _, err := file.WriteAt(b, 0); err != nil {
		return err
	}
	return file.Truncate(int64(len(b)))
}

// create makes the folder dir, which must be missing or empty, with a marker.
func create(dir string, m *mark) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	file, err := os.OpenFile(filepath.Join(dir, Marker), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(m.save(file), file.Close())
}
