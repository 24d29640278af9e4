package scenarios

import (
	"fmt"

	"github.com/myriad-iot/myriad/scenarios/words"
	"github.com/myriad-iot/myriad/sim"
)

// Seldom says which fleets of a plan send less often than the plan is long, a line each: what is claimed of all their
// messages is claimed of few.
func Seldom(p *sim.Plan) []string {
	var list []string
	for i := range p.Fleets {
		f := &p.Fleets[i]
		for j := range f.Skills {
			if k := &f.Skills[j]; k.Every > p.Duration() && f.Copies == nil {
				list = append(list, fmt.Sprintf("%s: not every device of %q sends to %q: it does so every %s, and the story takes %s",
					f.Origin, f.Name, k.Topic, words.PrintDuration(k.Every.D()), words.PrintDuration(p.Duration().D())))
			}
		}
	}
	return list
}
