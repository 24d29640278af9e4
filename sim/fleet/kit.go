package fleet

import (
	"fmt"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/skill"
	"github.com/myriad-iot/myriad/sim/skill/health"
	"github.com/myriad-iot/myriad/sim/skill/obey"
	"github.com/myriad-iot/myriad/sim/skill/report"
)

// kit makes the skills of a fleet, in the fleet's order. A new skill needs one case here.
func kit(f *sim.Fleet) ([]skill.Skill, error) {
	list := make([]skill.Skill, len(f.Skills))
	for i := range f.Skills {
		var err error
		switch name := f.Skills[i].Name; name {
		case sim.SkillReport:
			list[i], err = report.New(f, i)
		case sim.SkillHealth:
			list[i], err = health.New(f, i)
		case sim.SkillObey:
			list[i], err = obey.New(f, i)
		default:
			err = fmt.Errorf("fleet %q: no skill is called %q", f.Name, name)
		}
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}
