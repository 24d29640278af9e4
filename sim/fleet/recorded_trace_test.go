package fleet_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/myriad-iot/myriad/sim"
)

// trace is what the devices of a plan did, as their peers saw it.
type trace struct {
	plan    *sim.Plan
	length  sim.Instant   // of the timeline
	settled []sim.Instant // how long each "settled within" took
	starts  []sim.Instant // of the segments after the first

	mu      sync.Mutex
	entries [][][]entry // by fleet and ordinal, in the order in which the device did it
}

// entry is one thing that a device did.
type entry struct {
	what  string      // the first word of the line
	marks string      // words that it is counted under as well
	text  string      // the rest of the line
	at    sim.Instant // of a message: when it was due
}

func newTrace(p *sim.Plan) *trace {
	t := &trace{plan: p}
	for i := range p.Fleets {
		t.entries = append(t.entries, make([][]entry, p.Fleets[i].Count))
	}
	return t
}

func (t *trace) add(fleet int, o sim.Ordinal, at sim.Instant, what, marks, format string, a ...any) {
	e := entry{what, marks, fmt.Sprintf(format, a...), at}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.entries[fleet][o] = append(t.entries[fleet][o], e)
}

// line is an entry as text. When a device closes its connection after the end of the timeline depends on how
// long answers were waited for: that is no schedule.
func (t *trace) line(e *entry) string {
	switch {
	case e.what == "close" && e.at >= t.length:
		return "close at the end " + e.text
	case e.what == "publish" || e.what == "answer":
		return fmt.Sprintf("%s due %v %s", e.what, e.at, e.text)
	}
	return fmt.Sprintf("%s at %v %s", e.what, e.at, e.text)
}

// coincidence is a report that was due at the instant at which a segment began, "" if there is none. Devices
// learn of a segment at that very instant, so nobody knows which of the two comes first.
func (t *trace) coincidence() string {
	for i := range t.entries {
		for o := range t.entries[i] {
			for k := range t.entries[i][o] {
				if e := &t.entries[i][o][k]; e.what == "publish" && slices.Contains(t.starts, e.at) {
					return t.plan.Fleets[i].DeviceID(sim.Ordinal(o)) + " " + t.line(e)
				}
			}
		}
	}
	return ""
}

// lines is the whole trace, sorted by fleet and ordinal.
func (t *trace) lines() (all []string) {
	for i := range t.entries {
		for o := range t.entries[i] {
			id := t.plan.Fleets[i].DeviceID(sim.Ordinal(o))
			for k := range t.entries[i][o] {
				all = append(all, id+" "+t.line(&t.entries[i][o][k]))
			}
		}
	}
	return all
}

func (t *trace) hash() string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(t.lines(), "\n"))))
}

const inClear = 20 // lines of a device that a summary shows

// summary is what a golden file keeps.
func (t *trace) summary() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d, length %v, settled after %v\n", t.plan.Seed, t.length, t.settled)
	for i := range t.plan.Fleets {
		counts := make(map[string]int)
		for _, list := range t.entries[i] {
			for k := range list {
				e := &list[k]
				counts[e.what]++
				for _, mark := range strings.Fields(e.marks) {
					counts[mark]++
				}
			}
		}
		f := &t.plan.Fleets[i]
		fmt.Fprintf(&b, "fleet %s: %d devices, %d dials (%d failed), %d published and %d answered (%d again, %d of them released), "+
			"%d rebinds, %d closed (%d abrupt)\n", f.Name, f.Count, counts["dial"], counts["failed"], counts["publish"],
			counts["answer"], counts["again"], counts["released"], counts["rebind"], counts["close"], counts["abruptly"])
	}
	fmt.Fprintf(&b, "trace: %d lines, SHA-256 %s\n", len(t.lines()), t.hash())
	for _, d := range shown(t.plan) {
		fmt.Fprintf(&b, "\n%s\n", t.plan.Fleets[d[0]].DeviceID(sim.Ordinal(d[1])))
		list := t.entries[d[0]][d[1]]
		for k := range list[:min(inClear, len(list))] {
			fmt.Fprintf(&b, "  %s\n", t.line(&list[k]))
		}
	}
	return b.String()
}

// message is a line for a message that a device published. The stamp is told, not shown: how it is written
// is no matter of the schedule.
func (t *trace) message(fleet int, o sim.Ordinal, m *sim.Message) {
	s := readStamp(t.plan, m.Payload)
	payload := string(bytes.Replace(m.Payload, s.text, bytes.Repeat([]byte("."), len(s.text)), 1))
	if strings.ContainsFunc(payload, func(r rune) bool { return r < ' ' || r > '~' }) {
		payload = strconv.QuoteToASCII(payload)
	}
	flags := ""
	for _, f := range []struct {
		set  bool
		text string
	}{{m.Retain, " retain"}, {m.Resend, " again"}, {m.Released, " released"}, {s.fleet != fleet || s.device != o, " FOREIGN"}} {
		if f.set {
			flags += f.text
		}
	}
	what := "publish"
	if s.command {
		what = "answer"
	}
	t.add(fleet, o, s.due, what, flags, "number %d to %s qos %d id %d%s %s", s.seq, m.Topic, m.QoS, m.ID, flags, payload)
}

// difference shows the first line in which two texts differ.
func difference(want, got []string) string {
	for i := range max(len(want), len(got)) {
		w, g := "(nothing)", "(nothing)"
		if i < len(want) {
			w = want[i]
		}
		if i < len(got) {
			g = got[i]
		}
		if w != g {
			return fmt.Sprintf("line %d\nwant %s\ngot  %s", i+1, w, g)
		}
	}
	return "no difference"
}
