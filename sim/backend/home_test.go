package backend

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The broker's library can be replaced: only these files know it.
func TestTheBrokersLibraryHasOneHome(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var know []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), "\"github.com/mochi-mqtt/") {
			know = append(know, file)
		}
	}
	if want := []string{"bare.go", "broker.go", "deliver.go", "listener.go", "retained.go", "wills.go"}; !slices.Equal(know, want) {
		t.Errorf("mochi is known to %q, want %q", know, want)
	}
}
