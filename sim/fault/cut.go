package fault

import "github.com/myriad-iot/myriad/sim"

// cut lets no packet pass between devices and the target for its time, and neither side is told: what was sent
// waits to be repeated, or is lost.
func cut() Kind {
	return Kind{
		Site: sim.SiteLink, Verb: "cut",
		Link: func(*sim.Fault) sim.Conditions { return sim.Conditions{Cut: true} },
	}
}
