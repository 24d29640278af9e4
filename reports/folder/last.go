package folder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Point makes the symbolic link name, beside f, lead to f. A link of that name is replaced when it leads to a
// result folder beside it, or to one that matches gone (path/filepath's patterns) and was removed since; anything
// else is the user's, stays, and is an error.
func (f *Folder) Point(name, gone string) error {
	parent, own := filepath.Split(filepath.Clean(f.Dir))
	if own == name { // f was named by the link
		return nil
	}
	link := filepath.Join(parent, name)
	info, err := os.Lstat(link)
	if errors.Is(err, fs.ErrNotExist) {
		return os.Symlink(own, link)
	}
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink == 0 || !ours(link, gone) {
		return fmt.Errorf("%s is left as it is: it is not a link that Myriad made", link)
	}
	stage, err := f.Stage()
	if err != nil {
		return err
	}
	made := filepath.Join(stage, name) // renamed over the old one: there is a link at any time
	if err = os.Symlink(own, made); err == nil {
		err = os.Rename(made, link)
	}
	return errors.Join(err, remove(stage))
}

// ours reports whether a link leads to a result folder beside it.
func ours(link, gone string) bool {
	to, err := os.Readlink(link)
	if err != nil || to != filepath.Base(to) {
		return false
	}
	dir := filepath.Join(filepath.Dir(link), to)
	there, err := exists(dir)
	if err != nil {
		return false
	}
	if !there {
		match, err := filepath.Match(gone, to)
		return match && err == nil
	}
	m, err := read(dir)
	return err == nil && m.Kind == kindResult
}
