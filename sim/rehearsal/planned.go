package rehearsal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/scenarios"
	"github.com/myriad-iot/myriad/sim"
)

// Planned is what a run had before it when it began. It lies beside the streams of the stories, so that those that
// never began are known of a run that was killed.
type Planned struct {
	Info    reports.Info `json:"info"`
	Secrets []string     `json:"secrets,omitempty"` // Config.Secrets
	Stories []*sim.Plan  `json:"stories"`           // in their order
}

// plannedFile is its file in Config.Dir.
const plannedFile = "stories.json"

// ReadPlanned returns what the run had before it whose Config.Dir was dir. The error is fs.ErrNotExist when it was
// killed before it had written that.
func ReadPlanned(dir string) (*Planned, error) {
	path := filepath.Join(dir, plannedFile)
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	p := new(Planned)
	if err := json.Unmarshal(b, p); err != nil {
		return nil, fmt.Errorf("%s: damaged: %w", path, err)
	}
	return p, nil
}

// keepPlanned writes what is before a run, whole or not at all. Nothing has begun yet.
func (c *Config) keepPlanned(suite *scenarios.Suite) error {
	p := Planned{Info: c.Info, Secrets: c.Secrets}
	for _, s := range suite.Stories {
		p.Stories = append(p.Stories, &s.Plan)
	}
	b, err := json.Marshal(&p)
	if err != nil {
		return fmt.Errorf("keep the list of stories: %w", err)
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return fmt.Errorf("keep the list of stories: %w", err)
	}
	path := filepath.Join(c.Dir, plannedFile)
	if err := errors.Join(os.WriteFile(path+".part", b, 0o600), os.Rename(path+".part", path)); err != nil {
		return fmt.Errorf("keep the list of stories: %w", err)
	}
	return nil
}

// stream is the name of the folder that has the stream of a story, the number of which counts from 1, when it is
// run for the n-th time.
func stream(story, n int) string {
	if n == 1 {
		return strconv.Itoa(story)
	}
	return fmt.Sprintf("%d-%d", story, n)
}

// streamOf reads such a name.
func streamOf(name string) (story, n int, ok bool) {
	first, second, again := strings.Cut(name, "-")
	story, err := strconv.Atoi(first)
	if n = 1; again && err == nil {
		n, err = strconv.Atoi(second)
	}
	return story, n, err == nil && story > 0 && n > 0
}

// absent reports whether an error says that there is no such file or folder.
func absent(err error) bool { return errors.Is(err, fs.ErrNotExist) }
