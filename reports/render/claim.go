package render

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/myriad-iot/myriad/reports/folder"
)

// BusFolder is where, in a result folder, a run keeps what its workers have shipped until the result
// is written: what is left of a run that never got there.
const BusFolder = "bus"

// Take locks dir for a result, until Close. It may be missing, empty, or a result folder that Myriad made; the
// error names what is there that is not Myriad's, and nothing has been changed then. A run asks before it starts
// rather than fail after it.
func Take(dir string) (*folder.Folder, error) {
	f, err := folder.Take(dir, names(), BusFolder)
	if err != nil {
		return nil, fmt.Errorf("result folder: %w", err)
	}
	return f, nil
}

// Page is the name of the report as one page in a result folder.
const Page = fileHTML

// Whole reports whether dir has a result that was written to its end: the file that is published last is there.
func Whole(dir string) bool {
	info, err := os.Lstat(filepath.Join(dir, fileRun))
	return err == nil && info.Mode().IsRegular()
}

// TakeNew is Take of a folder that was not there before: parent/name, or with -2, -3 ... behind it.
func TakeNew(parent, name string) (*folder.Folder, error) {
	f, err := folder.Unique(parent, name, names(), BusFolder)
	if err != nil {
		return nil, fmt.Errorf("result folder: %w", err)
	}
	return f, nil
}
