package device

import (
	"slices"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/skill"
)

// elsewhere stands for a skill whose messages travel on another line of the same device: another host has it.
type elsewhere struct{}

func (elsewhere) Next(*skill.Self, *skill.Course) sim.Instant { return Forever }

func (elsewhere) Do(*skill.Self, sim.Instant) {}

func (elsewhere) Hear(*skill.Self, *sim.Inbound, *sim.Stamp, sim.Instant) bool { return false }

// here returns skill i of the fleet if this host has it, or what stands for it.
func (c *Config) here(i int) skill.Skill {
	if i < len(c.Fleet.Skills) && c.Fleet.Line(&c.Fleet.Skills[i]) != c.role() {
		return elsewhere{}
	}
	return c.Skills[i]
}

// role is that of the host's line.
func (c *Config) role() sim.Role {
	if c.Line == "" {
		return sim.RoleData
	}
	return c.Line
}

// keyed makes the key of a line's own random streams (ports, tokens, delays of its retry policy) from the
// device's. That of the data line is the device's.
func (c *Config) keyed(device uint64) uint64 {
	if c.line == 0 {
		return device
	}
	return mix(device, c.Line)
}

func mix(key uint64, r sim.Role) uint64 {
	for _, b := range []byte(r) {
		key = sim.Mix(key ^ uint64(b))
	}
	return key
}

// number is the line's place among those of the fleet.
func (c *Config) number() int { return max(0, slices.Index(c.Fleet.Lines(), c.role())) }

// linked tells the recorder that the device is connected, or not any more. It is the data line that says so.
func (d *Device) linked(up bool, at sim.Instant) {
	if d.c.line == 0 {
		d.c.Recorder.Link(d.Index, d.peer, d.Ordinal, up, at)
	}
}
