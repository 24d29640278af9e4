package render

import (
	"slices"

	"github.com/myriad-iot/myriad/reports"
)

// journeys are the flows of a story's journeys, as [reports.JourneyResult] has them.
func (e *exposition) journeys(story string, r *reports.Result) {
	for i := range r.Journeys {
		j := &r.Journeys[i]
		same := func(k reports.JourneyResult) bool { return k.Fleet == j.Fleet && k.Journey == j.Journey }
		if slices.IndexFunc(r.Journeys, same) < i {
			continue // the same labels twice would be refused
		}
		l := labels{"story", story, "fleet", j.Fleet, "journey", string(j.Journey)}
		e.counter("journeys_began_total", "Journeys that began: each is open, or in one end state.", j.Began, l...)
		e.gauge("journeys_open", "Journeys that had not ended when the run did.", float64(j.Open), l...)
		e.counter("journeys_simulator_lost_total", "Journeys that ended with a worker of ours, not counted as begun.", j.Gone, l...)
		for _, s := range j.States {
			l := append(slices.Clone(l), "state", string(s.State))
			e.counter("journey_state_journeys_total", "Journeys that came into the state at least once.", s.Journeys, l...)
			e.counter("journey_state_entries_total", "How often journeys came into the state.", s.Times, l...)
			e.gauge("journey_state_devices", "Devices that are in the state when the run ends.", float64(s.Devices), l...)
		}
	}
}
