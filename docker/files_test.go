package docker

import (
	"io/fs"
	"path/filepath"
	"slices"
	"testing"
)

// What builds images is in the binary whole: a service that was added has its folder there too.
func TestFilesAreAllOfThem(t *testing.T) {
	var want []string
	for _, pattern := range []string{"build-local", "*/Dockerfile"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, found...)
	}
	want = slices.DeleteFunc(want, func(path string) bool { return path == "myriad/Dockerfile" }) // the program's own
	if len(want) < 5 {
		t.Fatalf("%q", want)
	}
	for _, path := range want {
		if _, err := fs.Stat(Files, path); err != nil {
			t.Errorf("%v: add its folder in files.go", err)
		}
	}
}
