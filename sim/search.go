package sim

import "fmt"

// Search is a fleet that grows step by step, each a phase of the plan, until an objective does not hold any more. The
// run ends then: what the target carries is known.
type Search struct {
	Fleet      string   `json:"fleet"`
	Step       int      `json:"step"`       // devices
	Every      Duration `json:"every"`      // how long a step takes
	Objectives []Check  `json:"objectives"` // of kind CheckLatency, without a window: each is of one step
	Origin     string   `json:"origin"`
	Text       string   `json:"text"`
}

// Steps is in how many steps a fleet of so many devices grows.
func (s *Search) Steps(count int) int { return (count + s.Step - 1) / s.Step }

// Devices is how many devices a fleet of so many has connected in step k, from 0.
func (s *Search) Devices(k, count int) int { return min((k+1)*s.Step, count) }

// Phase names the phase that is step k, from 0, of a fleet of so many devices: "200 meters".
func (s *Search) Phase(k, count int) string {
	return fmt.Sprintf("%d %s", s.Devices(k, count), s.Fleet)
}
