package scenarios

import (
	"fmt"
	"strings"

	"github.com/myriad-iot/myriad/scenarios/words"
	"github.com/myriad-iot/myriad/sim"
)

// Outlast says what goes on meanwhile for longer than the plan takes at most, a line each: it ends with the run, so nobody
// sees the system without it again.
func Outlast(p *sim.Plan) []string {
	var list []string
	left := p.Duration() // from the start of the segment of an act
	for i := range p.Acts {
		a := &p.Acts[i]
		if rest := left - a.At; a.Lasts() > rest && strings.HasSuffix(a.Text, meanwhile) {
			list = append(list, fmt.Sprintf("%s: `%s` lasts %s at most: then the story ends, and what is broken is mended", a.Origin, a.Text, words.PrintDuration(rest.D())))
		}
		if a.Kind == sim.ActSettle {
			left -= a.At + a.Hold
		}
	}
	return list
}
