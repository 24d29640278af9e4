package sim

// Search is a fleet that grows step by step, each a phase of the plan, until an objective does not hold any more. The
// run ends then: what the target carries is known.
type Search struct {
	Fleet      string   `json:"fleet"`
	Step       int      `json:"step"`       // devices of this run
	Every      Duration `json:"every"`      // how long a step takes
	Phases     []string `json:"phases"`     // of each step, by the counts that the story declares: "200 meters"
	Objectives []Check  `json:"objectives"` // of kind CheckLatency and of the fleet, without a window: each is of one step
	Origin     string   `json:"origin"`
	Text       string   `json:"text"`
}

// Devices is how many devices a fleet of so many has connected in step k, from 0.
func (s *Search) Devices(k, count int) int { return min((k+1)*s.Step, count) }
