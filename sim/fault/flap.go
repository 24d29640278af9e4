package fault

import (
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// ArgEvery is how often a link flaps, as [time.ParseDuration] reads it.
const ArgEvery = "every"

// flap cuts the links of devices again and again for its time: for the first half of each interval. An argument that
// cannot be read is all of the time.
func flap() Kind {
	return Kind{
		Site: sim.SiteLink, Verb: "flap",
		Link: func(*sim.Fault) sim.Conditions { return sim.Conditions{Cut: true} },
		Spells: func(f *sim.Fault) (list []Spell) {
			every, err := time.ParseDuration(f.Args[ArgEvery])
			if err != nil || every <= 0 {
				every = 2 * f.For.D()
			}
			for from := time.Duration(0); from < f.For.D(); from += every {
				list = append(list, Spell{from, min(from+every/2, f.For.D())})
			}
			return list
		},
	}
}
