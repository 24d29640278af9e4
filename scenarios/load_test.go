package scenarios

import (
	"io/fs"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/features"
	"github.com/myriad-iot/myriad/sim"
)

// mustLoad compiles stories that are built in.
func mustLoad(t *testing.T, o Options, paths ...string) *Suite {
	t.Helper()
	s, err := Load(paths, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestShippedStoriesCompile(t *testing.T) {
	names, err := fs.Glob(features.FS, "*.feature")
	if err != nil || len(names) < 3 {
		t.Fatalf("%d stories are built in (%v)", len(names), err)
	}
	for _, name := range names {
		var total time.Duration
		s := mustLoad(t, Options{Seed: 1}, "features/"+name)
		for _, st := range s.Stories {
			if st.NotJudged != "" {
				t.Errorf("%s:%d cannot be judged on the embedded target: %s", name, st.Plan.Story.Line, st.NotJudged)
			}
			total += fewest(&st.Plan)
		}
		if total > 90*time.Second {
			t.Errorf("%s takes %s at least, which is too long for CI", name, total)
		}
	}
}

// fewest is the timeline without the time that settling may take.
func fewest(p *sim.Plan) time.Duration {
	var d time.Duration
	for _, a := range p.Acts {
		if a.Kind != sim.ActSettle {
			d += a.Hold.D()
		}
	}
	return d
}
