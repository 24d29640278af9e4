package scenarios

import (
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/payload"
)

// largestPayload is how long a payload may be asked for, in bytes: twice what the largest clouds take.
const largestPayload = 262_144

// payloadSteps is F22: how long messages are.
func payloadSteps() []Step {
	return []Step{
		{ID: "F22", Keyword: Given, Expression: `each report of fleet {string} has a payload of {count} byte(s)`,
			Doc: "Fills the payload of each report up to this length: with spaces, and in CBOR with a member of zeros. It still says what it says, and is accounted for. " +
				"A length that is too short for the reading is a mistake; at most 262,144.",
			Example: `each report of fleet "rooms" has a payload of 1,024 bytes`,
			compile: func(c *compiler, a *args) error {
				return c.bind(a.str(0), "payload", func(f *fleet) error {
					switch n := a.count(1); {
					case f.size > 0:
						return surely(wrong("say it once", "the reports of %q have %d bytes already", f.name, f.size))
					case n < 1 || n > largestPayload:
						return surely(wrong("from about 100 to 262,144", "a report of %d bytes", n))
					default:
						f.size = n
					}
					return nil
				})
			}},
	}
}

// sized is the model of a fleet whose reports have a length; an error if that is too short for what they say.
func sized(f *fleet, m *sim.Model) (*sim.Model, error) {
	if f.size == 0 {
		return m, nil
	}
	own := *m
	own.Size = f.size
	last := sim.Fleet{Name: f.name, Count: f.scaled}
	least, err := payload.Longest(&own, last.DeviceID(sim.Ordinal(max(f.scaled, 1)-1)))
	if err != nil {
		return m, nil // the model says what is wrong with it
	}
	if f.size < least {
		return m, wrongAt(f.saidAt("payload"), "at least that, or a model of fewer signals", "what a %q reports takes up to about %d bytes, so it does not fit into %d", m.Name, least, f.size)
	}
	return &own, nil
}
