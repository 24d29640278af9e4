package scenarios

import (
	"fmt"

	"github.com/myriad-iot/myriad/scenarios/words"
	"github.com/myriad-iot/myriad/sim"
)

// Short says which claims give more time than the plan has left, a line each: what takes longer than the story is not seen
// to have come back, and the claim fails though its time was not over.
func Short(p *sim.Plan) []string {
	var list []string
	starts, ends := phaseEdges(p)
	for i := range p.Checks {
		k := &p.Checks[i]
		if k.Kind != sim.CheckRecovery && k.Kind != sim.CheckConnected || k.Phase == "" {
			continue
		}
		left, word := starts[k.Phase], "starts"
		if k.Edge == "ends" {
			left, word = ends[k.Phase], "ends"
		}
		if k.Within > left {
			list = append(list, fmt.Sprintf("%s: `%s`: the story goes on for %s at most after phase %q %s, so let it go on for longer",
				k.Origin, k.Text, words.PrintDuration(left.D()), k.Phase, word))
		}
	}
	return list
}

// phaseEdges is how long a plan still takes at most when each of its phases starts and ends.
func phaseEdges(p *sim.Plan) (starts, ends map[string]sim.Duration) {
	starts, ends = make(map[string]sim.Duration), make(map[string]sim.Duration)
	left := p.Duration() // from the start of the segment of an act
	for i := range p.Acts {
		a := &p.Acts[i]
		rest := left - a.At
		switch _, open := starts[a.Phase]; a.Kind {
		case sim.ActPhaseStart:
			starts[a.Phase] = rest
		case sim.ActPhaseEnd:
			ends[a.Phase] = rest
		case sim.ActPhaseRun:
			if ends[a.Phase] = rest - a.Hold; !open {
				starts[a.Phase] = rest
			}
		case sim.ActSettle:
			left -= a.At + a.Hold
		default:
		}
	}
	return starts, ends
}
