package scenarios

import "github.com/myriad-iot/myriad/sim"

// longestClientID is what every server takes of a client identifier, in bytes (MQTT 3.1.1 section 3.1.3.1). Servers
// may take more, and the hyphen of ours is more already; but who refuses longer ones shall not refuse because of us.
const longestClientID = 23

// nameClients gives the devices of plain fleets client identifiers that no other run has, at a broker of the user's:
// there, somebody else may rehearse the same story, and each would take over the other's connections without end.
// What a story or a broker may rely on stays as it is: identifiers that the story gives, those of devices that say
// who they are, as access may be granted by both together, and those of sessions that outlive a run.
func (c *compiler) nameClients() {
	if c.plan.Target.EmbeddedServes(sim.ChannelMQTT) || c.plan.Target.Kind != sim.TargetExternal {
		return
	}
	for i := range c.plan.Fleets {
		f := &c.plan.Fleets[i]
		by := f.Over(sim.ChannelMQTT)
		if f.Copies != nil || by == nil || by.MQTT.ClientID != "" || by.Session > 0 || by.Security.Username != "" || by.Security.Credential != sim.CredentialNone {
			continue
		}
		if longest := sim.RunNameLength + len("-") + len(f.DeviceID(sim.Ordinal(max(f.Count, 1)-1))); longest <= longestClientID {
			by.MQTT.ClientID = sim.PlaceRun + "-{id}"
		}
	}
}
