package folder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Stage makes a folder inside f in which a result is written, to be published when it is whole.
func (f *Folder) Stage() (string, error) {
	dir, err := os.MkdirTemp(f.Dir, scratchPrefix) // 0700
	if err != nil {
		return "", err
	}
	if err := create(dir, &mark{Kind: kindScratch}); err != nil {
		return "", errors.Join(err, os.RemoveAll(dir)) // without a marker nobody would know it for Myriad's
	}
	return dir, nil
}

// Part makes the folder dir, one of those that make a result; in it the files of the given names are Myriad's.
func Part(dir string, names []string) error {
	return create(dir, &mark{Kind: kindPart, Names: listing(names)})
}

func listing(names []string) map[string]string {
	m := make(map[string]string, len(names))
	for _, name := range names {
		m[name] = ""
	}
	return m
}

// Publish moves the result from stage into f, in place of an earlier one. The first of the names comes last: an
// interruption leaves no mixture that looks like a result. When something is in the way that is not Myriad's,
// the stage is kept and the error says where.
func (f *Folder) Publish(stage string) error {
	if err := f.check(f.names); err != nil {
		return fmt.Errorf("%w (the result is whole in %s)", err, stage)
	}
	if err := f.setAside(); err != nil {
		return err
	}
	if err := f.list(f.names); err != nil { // before they are there: what is there is always listed
		return err
	}
	for i := range f.names {
		name := f.names[(i+1)%len(f.names)]
		if err := os.Rename(filepath.Join(stage, name), filepath.Join(f.Dir, name)); err != nil {
			return err
		}
	}
	if err := remove(stage); err != nil {
		return err
	}
	// What a user has put there since Take is no reason to fail: the next Take names it.
	if found, err := foreign(filepath.Join(f.Dir, Earlier), false); err != nil || found != "" {
		return err
	}
	return remove(filepath.Join(f.Dir, Earlier))
}

// Adopt makes all names that make a result Myriad's, those too that are not there yet. None of them is the
// user's, or Take would have refused the folder.
func (f *Folder) Adopt() error { return f.list(f.names) }

func (f *Folder) list(names []string) error {
	f.mark.Names = listing(names)
	return f.mark.save(f.file)
}

// setAside moves the result that is in f to the folder Earlier. What is left of a result of which the first file
// is not there any more is what an interruption left: it belongs to what was moved already, or to a result that
// was never whole, which is removed.
func (f *Folder) setAside() error {
	earlier := filepath.Join(f.Dir, Earlier)
	whole, err := exists(filepath.Join(f.Dir, f.names[0]))
	if err != nil {
		return err
	}
	if whole {
		if err := remove(earlier); err != nil {
			return err
		}
		if err := create(earlier, &mark{Kind: kindResult, Names: listing(f.names)}); err != nil {
			return err
		}
	}
	kept := owned(earlier)
	for _, name := range f.names {
		from, to := filepath.Join(f.Dir, name), filepath.Join(earlier, name)
		there, err := exists(from)
		if err != nil {
			return err
		}
		if !there {
			continue
		}
		taken, err := exists(to)
		switch {
		case err != nil:
		case kept && !taken:
			err = os.Rename(from, to)
		case owned(from):
			err = remove(from)
		default:
			err = os.Remove(from)
		}
		if err != nil {
			return err
		}
	}
	return f.list(nil)
}

// owned reports whether dir is a folder with a marker of Myriad's.
func owned(dir string) bool {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() {
		return false
	}
	_, err = read(dir)
	return err == nil
}

func exists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
