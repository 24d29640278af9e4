package rehearsal

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/myriad-iot/myriad/reports/render"
)

// A block that is wider than the terminal wraps, and is not removed when it is drawn again.
func TestD4_TheLiveBlockFitsTheTerminal(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	state := render.State{
		Story: strings.Repeat("long ", 30), Phase: "p", Elapsed: time.Minute, Planned: time.Hour, Devices: 1e6, Connected: 5e5, Rate: 12_345, Target: 99_999,
		Latency: render.Recent{Op: "publish", Count: 10, P50: 0.0123, P99: 0.123}, Errors: 1e6, LastError: strings.Repeat("error ", 20),
	}
	for _, columns := range []int{50, 67, 80, 200} {
		d := Display{Width: func() int { return columns }}
		lines := strings.Split(strings.TrimSuffix(render.LiveBlock(state, d.options()), "\n"), "\n")
		if len(lines) != render.LiveLines {
			t.Errorf("%d lines", len(lines))
		}
		for _, line := range lines {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\x1b[K")); n >= columns {
				t.Errorf("%d columns: %d in %q", columns, n, line)
			}
		}
	}
	if o := new(Display).options(); o.Width != 0 {
		t.Errorf("%+v", o)
	}
}
