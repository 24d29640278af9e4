package folder

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// File is a file to write.
type File struct {
	Name string
	Mode fs.FileMode
	Text []byte
}

// Put writes files into dir, which may be a folder of the user's. A file that is there is replaced when Put wrote
// it and nobody has changed it since, and left alone when it is the same already; any other makes Put refuse, with
// an error that names it, before it writes anything. A name is one element of a path, and there once.
func Put(dir string, files []File) error {
	seen := map[string]bool{Marker: true}
	for _, f := range files {
		if seen[f.Name] || !fs.ValidPath(f.Name) || f.Name == "." || f.Name != filepath.Base(f.Name) {
			return fmt.Errorf("no file can be named %q here: nothing was written", f.Name)
		}
		seen[f.Name] = true
	}
	m, err := read(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		m = new(mark)
	case err != nil:
		return err
	case m.Kind != kindFiles && m.Kind != "":
		return fmt.Errorf("%s is a result folder: nothing was written; name another folder", dir)
	}
	if _, err := m.replaced(dir, files); err != nil { // before a folder or a marker is made
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	file, m, err := lock(dir)
	if err != nil {
		return err
	}
	return errors.Join(m.put(dir, files, file), file.Close())
}

// put removes what is replaced, lists what will be there, and makes it: an interruption leaves nothing that is
// not listed.
func (m *mark) put(dir string, files []File, file *os.File) error {
	old, err := m.replaced(dir, files)
	if err != nil {
		return err
	}
	for _, path := range old {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	m.Kind = kindFiles
	if m.Names == nil {
		m.Names = map[string]string{}
	}
	var fresh []File
	for _, f := range files {
		there, err := exists(filepath.Join(dir, f.Name))
		if err != nil {
			return err
		}
		if !there {
			fresh = append(fresh, f)
			m.Names[f.Name] = sum(f.Text)
		}
	}
	if err := m.save(file); err != nil {
		return err
	}
	for _, f := range fresh {
		if err := f.create(filepath.Join(dir, f.Name)); err != nil {
			return err
		}
	}
	return nil
}

// replaced returns the paths that files replace: all of them are Myriad's, and as it wrote them.
func (m *mark) replaced(dir string, files []File) (old []string, err error) {
	for _, f := range files {
		path := filepath.Join(dir, f.Name)
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		var text []byte
		if info.Mode().IsRegular() {
			if text, err = os.ReadFile(path); err != nil {
				return nil, err
			}
		}
		listed, known := m.Names[f.Name]
		switch {
		case info.Mode().IsRegular() && known && listed == sum(text):
			old = append(old, path)
		case info.Mode().IsRegular() && bytes.Equal(text, f.Text):
		default:
			return nil, fmt.Errorf("%s is there, and Myriad did not write it, or it was changed since: nothing was written; move it away, or name another folder", path)
		}
	}
	return old, nil
}

// create makes a file that is not there.
func (f *File) create(path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, f.Mode)
	if err != nil {
		return err
	}
	_, err = file.Write(f.Text)
	return errors.Join(err, file.Close())
}

func sum(text []byte) string {
	s := sha256.Sum256(text)
	return hex.EncodeToString(s[:])
}
