package input

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrOutside says that a file is in none of the folders that a story may read from.
var ErrOutside = errors.New("outside of the folders that a story may read from")

// Places are the folders that a story may read files from.
type Places struct {
	Own     string   // the story's; relative names begin here
	Allowed []string // by the user, on the command line
}

// Found is a file that a story may read. Close it when it has been read.
type Found struct {
	FS      fs.FS // of the file's folder; links that lead out of the place are errors
	Base    string
	Path    string // to show
	Foreign bool   // not in the story's own folder: its text must not be shown

	root, sub *os.Root
}

// Close frees the descriptors of the file's folder.
func (f *Found) Close() error { return errors.Join(f.sub.Close(), f.root.Close()) }

// Find finds the file called name. One that is in no place is [ErrOutside], whether or not it exists.
func (p Places) Find(name string) (*Found, error) {
	full := name
	if !filepath.IsAbs(name) {
		full = filepath.Join(p.Own, name)
	}
	for i, place := range append([]string{p.Own}, p.Allowed...) {
		in, err := within(place, full)
		if err != nil {
			return nil, err
		}
		if in == "" {
			continue
		}
		root, err := os.OpenRoot(place)
		if err != nil {
			return nil, err
		}
		sub, err := root.OpenRoot(filepath.Dir(in))
		if err != nil {
			return nil, errors.Join(err, root.Close())
		}
		return &Found{FS: sub.FS(), Base: filepath.Base(in), Path: full, Foreign: i > 0, root: root, sub: sub}, nil
	}
	return nil, ErrOutside
}

// within returns the path of full from the folder place, or "" when it is not in it.
func within(place, full string) (string, error) {
	a, err := filepath.Abs(place)
	if err != nil {
		return "", err
	}
	b, err := filepath.Abs(full)
	if err != nil {
		return "", err
	}
	in, err := filepath.Rel(a, b)
	if err != nil || !filepath.IsLocal(in) {
		return "", nil
	}
	return in, nil
}
