package fleet_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/scenarios"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

var (
	update   = flag.Bool("update", false, "write the golden files")
	traceDir = flag.String("traces", "", "a folder to write the whole traces to, so that those of two versions can be compared")
)

// recording is a story whose trace is kept in testdata/recorded.
type recording struct {
	name   string // of the golden file
	path   string // of the feature: built in, or beside the golden file
	number int    // of the story in it, from 0
	scale  float64
	trip   time.Duration // how long the services take to answer
}

var recordings = []recording{
	{"quickstart", "features/quickstart.feature", 0, 0.1, quick},
	{"any_broker_qos0", "features/any_broker.feature", 2, 0.5, quick},
	{"smart_building_rush", "features/smart_building.feature", 0, 0.3, quick},
	{"smart_building_dark", "features/smart_building.feature", 1, 0.3, quick},
	{"fan_in", "features/fan_in.feature", 0, 0.2, quick},
	{"certificate_fleet", "features/certificate_fleet.feature", 0, 0.5, quick},
	{"command_round_trip", "features/command_round_trip.feature", 0, 0.5, quick},
	{"observe", "features/observe.feature", 0, 1, quick},
	{"nat_rebinding_cid", "features/nat_rebinding.feature", 0, 0.5, quick},
	{"nat_rebinding", "features/nat_rebinding.feature", 1, 0.5, slow},
	{"exactly_once", "features/exactly_once.feature", 0, 0.5, slow},
	{"reconnect_storm", "features/reconnect_storm.feature", 1, 0.2, slow},
	{"curves", "testdata/recorded/curves.feature", 0, 1, quick},
	{"absences", "testdata/recorded/buffers.feature", 0, 0.6, slow},
	{"services_stop", "testdata/recorded/buffers.feature", 1, 0.5, slow},
	{"commanded", "testdata/recorded/commanded.feature", 0, 1, slow},
}

// What devices do follows from (seed, fleet, ordinal) alone: the same seed gives the same connections, topics,
// payloads and intended instants as when the golden files were written, whatever has changed inside since.
//
// A difference says that a story does something else for its users than before. When that is meant, write
// the files anew with -update and say in the commit why. The whole traces of two versions are compared with
// -traces.
func TestDevicesDoAsRecorded(t *testing.T) {
	for _, r := range recordings {
		t.Run(r.name, func(t *testing.T) {
			if !underRace { // bubble.Test has the processors for itself then
				t.Parallel()
			}
			p := r.plan(t)
			first := r.run(t, p)
			got := first.summary()
			if *traceDir != "" {
				write(t, filepath.Join(*traceDir, r.name+".trace"), strings.Join(first.lines(), "\n")+"\n")
			}
			if c := first.coincidence(); c != "" {
				t.Errorf("take another scale: %s", c)
			}
			if again := r.run(t, p); again.hash() != first.hash() {
				t.Errorf("the same seed gives something else: %s", difference(first.lines(), again.lines()))
			}
			p.Seed++
			if other := r.run(t, p); other.hash() == first.hash() {
				t.Error("another seed gives the same")
			}
			golden := filepath.Join("testdata", "recorded", r.name+".golden")
			if *update {
				write(t, golden, got)
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s: %s", golden, difference(strings.Split(string(want), "\n"), strings.Split(got, "\n")))
			}
		})
	}
}

// plan compiles the story.
func (r *recording) plan(t *testing.T) *sim.Plan {
	t.Helper()
	suite, err := scenarios.Load([]string{r.path}, scenarios.Options{Seed: 1, Scale: r.scale})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(suite.Stories); n <= r.number {
		t.Fatalf("%s: %d stories", r.path, n)
	}
	return &suite.Stories[r.number].Plan
}

// run runs the devices of a plan in virtual time.
func (r *recording) run(t *testing.T, p *sim.Plan) *trace {
	t.Helper()
	tr := newTrace(p)
	bubble.Test(t, func(t *testing.T) { perform(t, p, r.trip, tr) })
	return tr
}

// shown are the devices of a plan that a golden file shows in clear: the first, the middle and the last of the
// only fleet, or one of each of three.
func shown(p *sim.Plan) (list [][2]int) {
	for i := range 3 {
		f := i % len(p.Fleets)
		n := p.Fleets[f].Count
		list = append(list, [2]int{f, []int{0, n / 2, n - 1}[i]})
	}
	return list
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
