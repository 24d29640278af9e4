package judge

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
)

// claimed is what is known of the sessions that a claim is about.
type claimed struct {
	devices int                    // that were connected at some time
	absent  int                    // whose account never came
	taken   []reports.TakenSession // the most frequent first
	unclear map[sim.Farewell]int   // ends of connections that a takeover may have been, of devices that were not taken over
}

// sessionsOf looks at the sessions of some devices of a fleet.
func (c *claimed) sessionsOf(j *judge, fleet int, in func(sim.Ordinal) bool) {
	name := j.in.Plan.Fleets[fleet].Name
	for i := range j.in.Ledger.Sessions {
		from := &j.in.Ledger.Sessions[i]
		if from.Fleet != fleet {
			continue
		}
		taken := make(map[sim.Ordinal]bool)
		if n := slices.IndexFunc(j.r.Sessions, func(s reports.SessionResult) bool { return s.Fleet == name }); n >= 0 {
			for _, t := range j.r.Sessions[n].Taken {
				if in(t.Ordinal) {
					taken[t.Ordinal] = true
					c.taken = append(c.taken, t)
				}
			}
		}
		for o := range sim.Ordinal(j.in.Plan.Fleets[fleet].Count) {
			a, known := from.By(o)
			switch {
			case !in(o):
				continue
			case !known:
				c.absent++
				continue
			case a.Connections() == 0:
				continue
			}
			c.devices++
			for _, how := range []sim.Farewell{sim.Wordless, sim.Silent, sim.Unnamed} {
				if n, _, _ := a.Ended(how); n > 0 && !taken[o] {
					c.unclear[how] += n
				}
			}
		}
	}
}

// open says what is not known.
func (c *claimed) open() string {
	text := many("", c.absent, "of %d devices it is not known how their connections ended")
	text = many(text, c.unclear[sim.Wordless], "%d connections were closed without a reason, as MQTT 3.1.1 closes one that was taken over too")
	text = many(text, c.unclear[sim.Silent], "%d connections fell silent, and the broker may have closed them meanwhile")
	return many(text, c.unclear[sim.Unnamed], "%d connections were ended by a DISCONNECT whose reason the client library does not tell")
}

// worst names the first five of those that were taken over.
func (c *claimed) worst(plural string) string {
	var names []string
	for _, t := range c.taken[:min(len(c.taken), 5)] {
		name := t.Device
		if len(t.By) > 0 {
			name += " and " + strings.Join(t.By, " and ")
		}
		var how []string
		if n := t.Times(); n > 0 {
			how = append(how, fmt.Sprintf("%d times", n))
		}
		if t.Together > 0 {
			how = append(how, "both connected at once for "+t.Together.Round(100*time.Millisecond).String())
		}
		names = append(names, fmt.Sprintf("%s (%s)", name, strings.Join(how, ", ")))
	}
	return fmt.Sprintf("%d %s: %s", len(c.taken), plural, list(names, len(c.taken)))
}

// sessions says what came out.
func (c *claimed) sessions(f *finding, plural string) {
	open := c.open()
	switch {
	case c.devices == 0 && c.absent == 0:
		f.skip("no device with a session was connected")
		return
	case len(c.taken) == 0 && open != "":
		f.skip("%s", open)
		return
	}
	f.claim(float64(len(c.taken)), sim.Exactly, 0, int64(c.devices), "devices")
	if len(c.taken) > 0 {
		f.Note = c.worst(plural)
	}
	f.Note = join(f.Note, open)
}

// oneSession judges that no device of the story held two sessions: that no other client took its session, or had one
// beside it, while it was connected. What copies of a device lose to it is told with the device.
func (j *judge) oneSession(f *finding) {
	c := claimed{unclear: make(map[sim.Farewell]int)}
	for fleet := range j.in.Plan.Fleets {
		if j.in.Plan.Fleets[fleet].Copies == nil {
			c.sessionsOf(j, fleet, func(sim.Ordinal) bool { return true })
		}
	}
	slices.SortStableFunc(c.taken, func(a, b reports.TakenSession) int { return b.Times() - a.Times() })
	c.sessions(f, "devices shared their sessions")
}

// notTaken judges that no session of some devices was taken over.
func (j *judge) notTaken(f *finding) {
	s := f.Check.Select
	fleet := j.in.Plan.FleetIndex(s.Fleet)
	if fleet < 0 {
		f.skip("no fleet is called %q", s.Fleet)
		return
	}
	c, key := claimed{unclear: make(map[sim.Farewell]int)}, sim.FleetKey(j.in.Plan.Seed, fleet)
	c.sessionsOf(j, fleet, func(o sim.Ordinal) bool {
		_, in := s.Rank(key, o, j.in.Plan.Fleets[fleet].Count)
		return in
	})
	c.taken = slices.DeleteFunc(c.taken, func(t reports.TakenSession) bool { return t.Times() == 0 })
	c.sessions(f, "devices were taken over")
}
