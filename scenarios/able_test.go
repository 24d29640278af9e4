package scenarios

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// One claim that the target cannot show does not keep the others from being judged; a story of such claims alone is
// not run.
func TestD4_TheOtherClaimsAreJudged(t *testing.T) {
	const given = `Given a fleet "rooms" of 100 "sensor" devices
		When fleet "rooms" connects evenly over 1s
		And phase "p" runs for 1m
		`
	o := Options{Target: "mqtt://127.0.0.1:1883"}
	s := plan(t, given+"Then the p50 storage latency is below 1s\nAnd the p50 publish latency is below 1s", o)
	if s.NotJudged != "" {
		t.Errorf("it would not run: %s", s.NotJudged)
	}
	if c := s.Plan.Checks; !strings.Contains(c[0].Lacks, "does not tell what it stored") || c[1].Lacks != "" {
		t.Errorf("%+v", c)
	}
	s = plan(t, given+"Then the p50 storage latency is below 1s\nAnd the p90 storage latency is below 1s", o)
	if !strings.Contains(s.NotJudged, "does not tell what it stored") {
		t.Errorf("%q", s.NotJudged)
	}
	if s = plan(t, given+"Then the p50 storage latency is below 1s", Options{}); s.NotJudged != "" || s.Plan.Checks[0].Lacks != "" {
		t.Errorf("embedded: %+v", s.Plan.Checks)
	}
}

// Times of a clock or calendar count from the first row; shares and times from the beginning are what they are.
func TestD4_ArrivalsAtAbsoluteTimes(t *testing.T) {
	dir := t.TempDir()
	want := map[string][2]time.Duration{ // when half has arrived, and three quarters
		"0,0\n30,0.5\n60,1\n":                                                         {30 * time.Second, 45 * time.Second},
		"1795978000,0\n1795978030,0.5\n1795978060,1\n":                                {30 * time.Second, 45 * time.Second},
		"08:00:00,0\n08:00:30,0.5\n08:01:00,1\n":                                      {30 * time.Second, 45 * time.Second},
		"2026-11-29T08:00:00Z,0\n2026-11-29T08:00:30Z,50\n2026-11-29T08:01:00Z,100\n": {30 * time.Second, 45 * time.Second},
		"2026-11-29 08:00:00,0\n2026-11-29 08:00:30,50\n2026-11-29 08:01:00,100\n":    {30 * time.Second, 45 * time.Second},
		"50%,0\n75%,0.5\n100%,1\n":                                                    {45 * time.Second, 52500 * time.Millisecond},
		"30s,0\n45s,0.5\n1m,1\n":                                                      {45 * time.Second, 52500 * time.Millisecond},
	}
	for text, at := range want {
		write(t, filepath.Join(dir, "arrivals.csv"), text)
		got, err := folder{dir: dir}.curve("arrivals.csv", sim.Duration(time.Minute))
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		for i, share := range []int{50, 75} {
			if d := got[share].D() - at[i]; d < -time.Millisecond || d > time.Millisecond {
				t.Errorf("%q: %d%% at %v, want %v", text, share, got[share].D(), at[i])
			}
		}
	}
}
