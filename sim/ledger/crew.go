package ledger

import (
	"cmp"
	"slices"

	"github.com/myriad-iot/myriad/sim"
)

// site is a broker of a target, as far as endpoints tell: its number among so many.
type site struct{ of, index int }

// siteOf is where a device of a fleet connects. Two devices are apart if their sites differ: see [Ledger.apart].
func (l *Ledger) siteOf(f *sim.Fleet, o sim.Ordinal) site {
	n := max(1, len(l.endpoints[f.Data().Scheme()]))
	return site{n, sim.Spread(o, n)}
}

// crew is the members of a shared group that are at one broker.
type crew struct {
	all    []window // when at least one of them was subscribed
	gaps   []window // when the broker may not have known that one of them was gone, or kept messages for it
	steady []window // all, with the gaps apart
	near   []window // when all of them were connected
	joined bool     // one has
}

// join adds a member whose session is kept so many ms.
func (c *crew) join(r *Receiver, session float64) {
	c.all = append(c.all, r.windows(session)...)
	// What a broker gives to a member that is away is none of a slow reader's.
	if connected := r.windows(0); c.joined {
		c.near = common(c.near, connected)
	} else {
		c.near, c.joined = connected, true
	}
	for i, t := range r.times {
		gap := window{from: float64(t.sure), to: forever}
		if t.open {
			gap.from = max(float64(t.from), float64(r.came))
		}
		if i+1 < len(r.times) {
			gap.to = float64(r.times[i+1].from)
		}
		c.gaps = append(c.gaps, gap)
	}
}

// meet is called when all have joined.
func (c *crew) meet() {
	c.all = union(c.all)
	c.gaps = merged(c.gaps)
	for _, w := range c.all {
		c.steady = append(c.steady, w.without(c.gaps)...)
	}
}

// owed are the windows in which what is sent is owed to the group. At QoS 1 a broker gives a message to another
// member when the one that it chose is gone. At QoS 0 it need not, and at QoS 2 it must not (MQTT 5 section 4.8.2): what
// was sent while a member was away, or may have been gone without the broker's knowledge, may rightly reach nobody.
func (c *crew) owed(qos byte) []window {
	if qos == 1 {
		return c.all
	}
	return c.steady
}

// merged are the times of a list, in order and none touching another.
func merged(list []window) []window {
	slices.SortFunc(list, func(a, b window) int { return cmp.Compare(a.from, b.from) })
	var out []window
	for _, w := range list {
		if n := len(out); n > 0 && w.from <= out[n-1].to {
			out[n-1].to = max(out[n-1].to, w.to)
			continue
		}
		out = append(out, window{from: w.from, to: w.to})
	}
	return out
}

// without divides a window at gaps. What lies in a gap is dim.
func (w window) without(gaps []window) (list []window) {
	from := w.from
	for _, g := range gaps {
		if g.to <= from || g.from >= w.to {
			continue
		}
		if g.from > from {
			list = append(list, window{from: from, sure: min(g.from, w.sure), to: g.from, short: true})
		}
		list = append(list, window{from: max(from, g.from), to: min(g.to, w.to), dim: true})
		from = g.to
	}
	if from < w.to {
		list = append(list, window{from: from, sure: max(from, w.sure), to: w.to})
	}
	return list
}
