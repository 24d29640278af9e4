package docker

import (
	"bytes"
	"regexp"
	"slices"

	"github.com/myriad-iot/myriad/sim"
)

// Setting is a line of a service's own configuration that a story may write. Others are refused: a word that the
// service does not know keeps it from starting, and what Myriad itself writes (listeners, certificates) would be there
// twice.
type Setting struct {
	Name    string         // as the service's manual has it
	Value   *regexp.Regexp // what its value looks like
	Example string
	File    bool // the value is the path of a file of the story, which goes into the container
	Secret  bool // the file has passwords
}

// What values look like, in the words of the services.
var (
	wholeNumber = regexp.MustCompile(`^(?:0|[1-9]\d{0,14})$`)
	trueOrFalse = regexp.MustCompile(`^(?:true|false)$`)
	pathOfFile  = regexp.MustCompile(`^[^\x00-\x1f]+$`)
)

// FindSetting returns the setting of a name, nil if the service has none.
func (c *Container) FindSetting(name string) *Setting {
	i := slices.IndexFunc(c.Settings, func(s Setting) bool { return s.Name == name })
	if i < 0 {
		return nil
	}
	return &c.Settings[i]
}

// written puts settings into a configuration that has one a line: each in the place of the line that has it, or at the
// end. begin is how the line of a name begins, up to its value.
func written(config []byte, settings []sim.Setting, begin func(name string) string) []byte {
	lines := bytes.SplitAfter(bytes.Clone(config), []byte("\n"))
	if last := len(lines) - 1; len(lines[last]) > 0 {
		lines[last] = append(lines[last], '\n')
	}
	for _, s := range settings {
		start := []byte(begin(s.Name))
		line := slices.Concat(start, []byte(s.Value), []byte("\n"))
		if i := slices.IndexFunc(lines, func(l []byte) bool { return bytes.HasPrefix(l, start) }); i >= 0 {
			lines[i] = line
		} else {
			lines = append(lines, line)
		}
	}
	return bytes.Join(lines, nil)
}
