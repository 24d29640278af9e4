package device

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
	"github.com/myriad-iot/myriad/sim/skill"
)

// eager is a report skill with a fault of the kind that floods: it is due again at once, for ever.
type eager struct {
	skill.Skill
	sends bool
}

func (e *eager) Next(s *skill.Self, c *skill.Course) sim.Instant { return time.Second }

func (e *eager) Do(s *skill.Self, at sim.Instant) {
	if e.sends {
		s.Host.Send(s, s.State.(*skill.Schedule).Take(), at)
	}
}

func (e *eager) New() any { return skill.NewSchedule() }

func (e *eager) Compose(s *skill.Self, seq uint32, due sim.Instant, w *skill.Draft) {
	w.Payload = append(w.Payload[:0], 'x')
}

// misbehaved are the devices that the recorder was told of.
func (t *tape) misbehaved() (list []sim.Ordinal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.samples {
		if s.Outcome == sim.LocalMisbehaves {
			list = append(list, s.Device)
		}
	}
	return list
}

// A skill that is due without end is stopped, whether it sends or does nothing: the run is invalid, and no
// target gets more than the schedule has.
func TestD2_1_ASkillWithoutEndIsStopped(t *testing.T) {
	for name, sends := range map[string]bool{"sends": true, "does nothing": false} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				w := newWorld()
				b := prepared(t, w, testFleet(2), w)
				b.config.Skills = []skill.Skill{&eager{b.config.Skills[0], sends}}
				b.launch(all(sim.ActConnect, 0))
				b.all.Wait() // they leave by themselves
				if got := b.tape.misbehaved(); len(got) != 2 || got[0] == got[1] {
					t.Errorf("misbehaved: %v, want each device once", got)
				}
				if n := len(w.of(0, true)); n > 4 {
					t.Errorf("%d messages reached the target, the schedule has one and the bound is 4", n)
				}
				b.cancel()
			})
		})
	}
}

// A call without a wait of the policy is not made.
func TestD2_3_ACallThatNoPolicyAllowedIsNotMade(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWorld()
		b := start(t, w, testFleet(1), 1, all(sim.ActConnect, 0))
		time.Sleep(time.Minute)
		synctest.Wait()
		d := b.devices[0]
		d.wanted, d.dialDue = true, 0 // as a fault of ours would leave it: the last call is still due
		d.grant = false
		w.set(func() { w.convs[0].broken = true })
		d.conv.(*talk).Interrupt()
		synctest.Wait()
		time.Sleep(time.Hour)
		b.finish()
		if got := b.tape.misbehaved(); len(got) > 0 {
			t.Errorf("a device that waits as its policy says misbehaves: %v", got)
		}
		if n := len(w.called()); n != 2 {
			t.Errorf("%d calls", n)
		}
	})
	bubble.Test(t, func(t *testing.T) {
		b := start(t, newWorld(), testFleet(1), 1)
		d := b.devices[0]
		synctest.Wait()
		calls := d.Calls
		if d.dial(t.Context()); !d.bad || d.Calls != calls || !slices.Equal(b.tape.misbehaved(), []sim.Ordinal{0}) {
			t.Errorf("it called %d times, misbehaved %v", d.Calls-calls, b.tape.misbehaved())
		}
		b.finish()
	})
}

// A client id that two runs share: each takes the session of the other, which a broker of 3.1.1 tells nobody.
// Three connections running that are accepted and soon closed are remarked, once a device.
func TestD2_7_AcceptedAndSoonClosedIsRemarked(t *testing.T) {
	for _, test := range []struct {
		name    string
		holding time.Duration
		want    int
	}{
		{"soon closed", time.Second, 3},
		{"closed after a minute", time.Minute, 0},
		{"never closed", 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				w := newWorld()
				w.holding = test.holding
				b := start(t, w, testFleet(3), 1, all(sim.ActConnect, 0))
				time.Sleep(10 * time.Minute)
				b.finish()
				n := 0
				for _, s := range b.tape.samples {
					if s.Outcome == sim.RemarkTwin {
						n++
					}
				}
				if n != test.want {
					t.Errorf("%d remarks of 3 devices, want %d", n, test.want)
				}
			})
		})
	}
}
