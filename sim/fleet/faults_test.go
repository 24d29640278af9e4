package fleet_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
	"github.com/myriad-iot/myriad/sim/ledger"
)

func TestServicesAreBrokenAndMended(t *testing.T) {
	for _, tt := range []struct {
		name  string
		act   sim.Act
		log   []string
		kinds []string
	}{
		{"restart", service("restart", 0, 0), []string{"10s stop", "10.5s up"}, []string{"service-down", "service-up"}},
		{"kill", service("kill", 4*s, 4*s), []string{"10s kill", "14s up"}, []string{"service-down", "service-up"}},
		{"freeze", service("freeze", 4*s, 4*s), []string{"10s freeze", "14s thaw"}, []string{"service-frozen", "service-thawed"}},
	} {
		for _, interrupted := range []bool{false, true} {
			name := tt.name
			if interrupted {
				name += ", interrupted"
			}
			t.Run(name, func(t *testing.T) {
				bubble.Test(t, func(t *testing.T) {
					r := prepare(t, meters(10, s, connect(5*s), phase("x", 5*s), tt.act, phase("y", 20*s)))
					r.lever.took = s / 2
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					want, length := slices.Clone(tt.log), 30*s+tt.act.Hold.D()
					if interrupted {
						time.AfterFunc(12*s, cancel)
						length = 12 * s
						if tt.act.Fault.For > 0 { // the mending cannot wait any longer
							want[1] = "12s " + strings.Fields(want[1])[1]
						}
					}
					c := r.run(t, ctx)
					if d := cmp.Diff(want, r.lever.log); d != "" {
						t.Errorf("what the handle was asked (-want +got):\n%s", d)
					}
					if c.Length != length {
						t.Errorf("length %v, want %v", c.Length, length)
					}
					var kinds []string
					for _, e := range r.events {
						if e.Act == 2 && e.Kind != ledger.Begun(tt.act.Kind) {
							kinds = append(kinds, string(e.Kind))
						}
						if (e.Act == 2) != (e.Origin == "f:2") || (e.Act == 2) != (e.Fault == tt.name) {
							t.Errorf("event %+v", e)
						}
					}
					if !slices.Equal(kinds, tt.kinds) {
						t.Errorf("events %q, want %q", kinds, tt.kinds)
					}
					// A mended target answers what is left, but for what a frozen one took in and forgot.
					got := r.totals()
					if tt.name != "freeze" && (got.Acked != got.Due || got.Due == 0) {
						t.Errorf("%d due and %d acknowledged", got.Due, got.Acked)
					}
				})
			})
		}
	}
}

// A service that is down when the timeline ends is up again before answers are waited for.
func TestTheDrainNeedsAWholeTarget(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := prepare(t, meters(10, s, connect(5*s), service("kill", time.Hour, 0), phase("x", 20*s)))
		r.lever.took = 8 * s // longer than the patience of the drain
		r.run(t, t.Context())
		if want := []string{"5s kill", "25s up"}; !slices.Equal(r.lever.log, want) {
			t.Errorf("%q, want %q", r.lever.log, want)
		}
		if got := r.totals(); got.Due < 200 || got.Acked != got.Due {
			t.Errorf("%d due and %d acknowledged", got.Due, got.Acked)
		}
	})
}

func TestAServiceThatCannotBeBroken(t *testing.T) {
	kill := func() *sim.Plan {
		return meters(2, s, connect(0), phase("x", s), service("kill", s, s), phase("y", 5*s))
	}
	for _, tt := range []struct {
		name   string
		plan   *sim.Plan
		change func(*rig)
		want   string
	}{
		{"kill fails", kill(), func(r *rig) { r.lever.fail = "down" }, "f:2: stuck"},
		{"start fails", kill(), func(r *rig) { r.lever.fail = "up" }, "f:2: stuck"},
		{"freeze fails", meters(2, s, service("freeze", s, s), phase("y", 5*s)), func(r *rig) { r.lever.fail = "freeze" }, "f:0: stuck"},
		{"thaw fails", meters(2, s, service("freeze", s, s), phase("y", 5*s)), func(r *rig) { r.lever.fail = "thaw" }, "f:0: stuck"},
		{"no handles", kill(), func(r *rig) { r.worker.Handle = nil }, "f:2: this target cannot be broken"},
		{"no such handle", kill(), func(r *rig) {
			r.worker.Handle = func(name string) (sim.Handle, error) { return nil, errors.New("no " + name) }
		}, "f:2: no broker"},
		{"no such fault", meters(2, s, service("melt", s, s), phase("y", 5*s)), func(*rig) {}, `f:0: no fault "melt"`},
		{"two fail", meters(2, s, service("kill", s, s), service("kill", s, s)), func(r *rig) { r.lever.fail = "down" }, "f:0: stuck\nf:1: stuck"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				r := prepare(t, tt.plan)
				tt.change(r)
				err := r.worker.Run(t.Context())
				if err == nil || err.Error() != tt.want {
					t.Errorf("error %v, want %s", err, tt.want)
				}
				failed := 0
				for _, e := range r.events {
					if e.Kind == "fault-failed" && strings.Contains(tt.want, e.Origin+": "+e.Text) {
						failed++
					}
					if (e.Kind == "service-up" || e.Kind == "service-thawed") && r.lever.fail != "" {
						t.Errorf("event %+v of a service that was not mended", e)
					}
				}
				if failed != strings.Count(tt.want, ":")/2 {
					t.Errorf("%d failures told: %+v", failed, r.events)
				}
				// What was to come after it came.
				if last := tt.plan.Acts[len(tt.plan.Acts)-1]; r.worker.Course().Length != (last.At + last.Hold).D() {
					t.Errorf("the timeline ended at %v", r.worker.Course().Length)
				}
			})
		})
	}
}

func TestEarlyStop(t *testing.T) {
	const never = time.Hour
	for _, tt := range []struct {
		name    string
		every   time.Duration
		mute    []time.Duration // answers end, begin again, end ...
		dialing time.Duration   // from the first of mute on, and lines are cut
		quiet   time.Duration   // before anything happens
		want    sim.Instant
	}{
		// The second that ends at 11 s is the first bad one, that at 15 s the fifth.
		{"answers end", s, []time.Duration{10 * s}, 0, 0, 15 * s},
		{"the count starts again", s, []time.Duration{10 * s, 14 * s, 16 * s}, 0, 0, 21 * s},
		{"all is well", s, []time.Duration{never}, 0, 0, 40 * s},
		// All devices hang in a call: what they had to report is known every ten seconds.
		{"seconds that say nothing", s, []time.Duration{10*s + s/5}, 10 * s, 0, 22 * s},
		// Nothing is wrong with a fleet that has not begun, and one bad second is not five.
		{"a quiet start", s, []time.Duration{0, 12 * s}, 0, 10 * s, 40 * s},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				p := meters(10, tt.every, phase("quiet", tt.quiet), connect(0), phase("x", 40*s-tt.quiet))
				p.StopEarly = &sim.StopEarly{Share: 0.9, For: sim.Duration(5 * s), Origin: "f:9"}
				r := prepare(t, p)
				for i, at := range tt.mute {
					if tt.dialing == 0 {
						time.AfterFunc(at, func() { r.peer.set(false, i%2 == 0) })
						continue
					}
					time.AfterFunc(at, func() {
						r.peer.slow(tt.dialing)
						r.peer.set(true, false)
					})
				}
				c := r.run(t, t.Context())
				if tt.want == 40*s {
					if c.Stopped != "" || c.Length != tt.want {
						t.Errorf("stopped at %v: %q", c.Length, c.Stopped)
					}
					return
				}
				if c.Length != tt.want || !strings.Contains(c.Stopped, "% of publishes failed for ") {
					t.Errorf("stopped at %v, want %v: %q", c.Length, tt.want, c.Stopped)
				}
				if told := r.told(); !slices.Contains(told, tt.want.String()+" stopped-early f:9") {
					t.Errorf("events %q", told)
				}
				for _, at := range r.tape.due {
					if at > tt.want {
						t.Fatalf("a report was due at %v, after the stop", at)
					}
				}
			})
		})
	}
}

// Answers that stay out after the timeline's end did not end it early.
func TestNoEarlyStopInTheDrain(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		p := meters(10, s, connect(0), phase("x", 9*s+s/2))
		p.StopEarly = &sim.StopEarly{Share: 0.9, For: sim.Duration(s), Origin: "f:9"}
		r := prepare(t, p)
		time.AfterFunc(9*s, func() { r.peer.set(false, true) })
		if c := r.run(t, t.Context()); c.Stopped != "" || len(r.ticks) < 14 {
			t.Errorf("stopped: %q, after %d ticks", c.Stopped, len(r.ticks))
		}
	})
}
