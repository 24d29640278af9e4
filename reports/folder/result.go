package folder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Earlier is the folder, inside a result folder, in which the result of the run before is kept until the new
// one is whole. It is a result folder too.
const Earlier = "earlier"

const scratchPrefix = ".writing-"

// Folder is a result folder, which is Myriad's and locked until Close. It is for one goroutine.
type Folder struct {
	Dir   string
	names []string // of the files and folders that make a result, in the order in which they go; the first comes last
	file  *os.File // the marker
	mark  *mark
}

// Take locks the result folder dir, which may be missing, empty, or Myriad's already. names are the files and
// folders that make a result, that without which it is none first. room are further folders that will be made
// in it. The error names what is there and not Myriad's, or says that another process has the folder; nothing
// has been changed then.
func Take(dir string, names []string, room ...string) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := free(dir); err != nil {
		return nil, err
	}
	file, m, err := lock(dir)
	if err != nil {
		return nil, err
	}
	f := &Folder{Dir: dir, names: names, file: file, mark: m}
	if err := f.check(append(append([]string{Earlier}, names...), room...)); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return f, nil
}

// Unique takes a result folder that was not there before: parent/name, or with -2, -3 ... when that is there.
func Unique(parent, name string, names []string, room ...string) (*Folder, error) {
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return nil, err
	}
	dir := filepath.Join(parent, name)
	for n := 2; ; n++ {
		err := os.Mkdir(dir, 0o700) // of two processes only one can make it
		if err == nil {
			return Take(dir, names, room...)
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		dir = filepath.Join(parent, fmt.Sprintf("%s-%d", name, n))
	}
}

// free refuses a folder of somebody else's, before a marker is made in it.
func free(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		return err
	}
	m, err := read(dir)
	if err == nil && (m.Kind == kindResult || m.Kind == "" && len(entries) == 1) {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	first := entries[0].Name()
	if first == Marker && len(entries) > 1 {
		first = entries[1].Name()
	}
	return fmt.Errorf("%s holds %q and is not a result folder that Myriad made (that has a file %s): nothing was changed; name another folder, or an empty one",
		dir, first, Marker)
}

// check refuses names that are there and not Myriad's. The marker of a new folder gets its first content.
func (f *Folder) check(names []string) error {
	if f.mark.Kind == "" {
		if err := free(f.Dir); err != nil { // again, as it is locked now
			return err
		}
		f.mark.Kind = kindResult
		if err := f.mark.save(f.file); err != nil {
			return err
		}
	}
	for _, name := range names {
		_, listed := f.mark.Names[name]
		found, err := foreign(filepath.Join(f.Dir, name), listed)
		if err != nil {
			return err
		}
		if found != "" {
			return fmt.Errorf("%s is in the way and not Myriad's: nothing was changed; move it away, or name another folder", found)
		}
	}
	return nil
}

// Close gives the folder free for others.
func (f *Folder) Close() error { return f.file.Close() }

// Renew makes room for a new result: an earlier one is moved to the folder Earlier, so that it does not look
// like the new one whatever happens, and what interrupted runs left is removed. The scratch folders named are
// made anew.
func (f *Folder) Renew(scratch ...string) error {
	if err := f.sweep(); err != nil {
		return err
	}
	if err := f.setAside(); err != nil {
		return err
	}
	for _, name := range scratch {
		dir := filepath.Join(f.Dir, name)
		if err := remove(dir); err != nil {
			return err
		}
		if err := create(dir, &mark{Kind: kindScratch}); err != nil {
			return err
		}
	}
	return nil
}

// Drop removes a scratch folder.
func (f *Folder) Drop(name string) error { return remove(filepath.Join(f.Dir, name)) }

// sweep removes the stages that interrupted processes left.
func (f *Folder) sweep() error {
	entries, err := os.ReadDir(f.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(f.Dir, e.Name())
		if !e.IsDir() || !strings.HasPrefix(e.Name(), scratchPrefix) {
			continue
		}
		if m, err := read(path); err == nil && m.Kind == kindScratch {
			if err := remove(path); err != nil {
				return err
			}
		}
	}
	return nil
}

// Made reports whether dir is a folder with a marker in it.
func Made(dir string) bool {
	_, err := read(dir)
	return err == nil
}

// Free reports whether dir is a folder with a marker in it that no process has locked.
func Free(dir string) bool {
	file, err := os.OpenFile(filepath.Join(dir, Marker), os.O_RDWR|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return false
	}
	defer file.Close()
	return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}
