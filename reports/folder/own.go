package folder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// foreign returns what is the user's at or below path, or "". A missing or empty folder is nobody's. listed
// says whether a file at path is Myriad's; a folder says so itself.
func foreign(path string, listed bool) (string, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		if listed && info.Mode().IsRegular() {
			return "", nil
		}
		return path, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil || len(entries) == 0 {
		return "", err
	}
	m, err := read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path, nil
	}
	if err != nil || m.Kind == kindScratch {
		return "", err
	}
	for _, e := range entries {
		_, ours := m.Names[e.Name()]
		if e.Name() == Marker {
			continue
		}
		if !ours {
			return filepath.Join(path, e.Name()), nil
		}
		if found, err := foreign(filepath.Join(path, e.Name()), true); err != nil || found != "" {
			return found, err
		}
	}
	return "", nil
}

// remove removes the folder dir as far as it is Myriad's. Something else in it stays, with its folder, and is
// an error. The marker goes last, so that a removal that was interrupted can be done again.
func remove(dir string) error {
	info, err := os.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not Myriad's", dir)
	}
	m, err := read(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return os.Remove(dir) // only when it is empty
	}
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		_, listed := m.Names[e.Name()]
		switch {
		case e.Name() == Marker:
		case m.Kind == kindScratch:
			err = os.RemoveAll(path)
		case listed && e.IsDir():
			err = remove(path)
		case listed && e.Type().IsRegular():
			err = os.Remove(path)
		}
		if err != nil {
			return err
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 1 {
		return errors.Join(err, fmt.Errorf("%s is kept: it holds something that is not Myriad's", dir))
	}
	if err := os.Remove(filepath.Join(dir, Marker)); err != nil {
		return err
	}
	return os.Remove(dir)
}
