package sim

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
)

// WillStream is the number that sightings of wills have in the place of a stream's. Wills carry no stamp: their payload
// is the story's, to the letter. Whose a will is follows from its topic and payload: see [Fleet.WillDevice].
const WillStream Stream = MaxStreams

// LeavesWills reports whether the devices of the fleet leave wills that tell whose they are: {id} is in the topic or
// in the payload.
func (f *Fleet) LeavesWills() bool {
	b := f.Binding(RoleData)
	return b != nil && b.Channel == ChannelMQTT && b.MQTT.Will.Tells()
}

// Tells reports whether each device's will is another.
func (w *Will) Tells() bool {
	return w != nil && (strings.Contains(w.Topic, "{id}") || strings.Contains(w.Payload, "{id}"))
}

// WillFilter is a topic filter that all wills of the fleet match.
func (f *Fleet) WillFilter() string {
	levels := strings.Split(f.Data().MQTT.Will.Topic, "/")
	for i, l := range levels {
		if strings.Contains(l, "{id}") {
			levels[i] = "+"
		}
	}
	return strings.ReplaceAll(strings.Join(levels, "/"), "{fleet}", f.Name)
}

// WillDevice is the device whose will has this topic and payload; false if none has. The fleet must leave wills. It
// does not search: the device's name stands in one of the two.
func (f *Fleet) WillDevice(topic, payload []byte) (Ordinal, bool) {
	w := f.Data().MQTT.Will
	o, ok := f.named(w.Topic, topic)
	if !strings.Contains(w.Topic, "{id}") {
		o, ok = f.named(w.Payload, payload)
	}
	return o, ok && f.Expand(w.Topic, o) == string(topic) && f.Expand(w.Payload, o) == string(payload)
}

// named is the device whose name stands in text where pattern has {id} for the first time.
func (f *Fleet) named(pattern string, text []byte) (Ordinal, bool) {
	before, _, ok := strings.Cut(strings.ReplaceAll(pattern, "{fleet}", f.Name), "{id}")
	rest, fits := bytes.CutPrefix(text, []byte(before+f.Name+"-"))
	if !ok || !fits {
		return 0, false
	}
	end := slices.IndexFunc(rest, func(c byte) bool { return c < '0' || c > '9' })
	if end < 0 {
		end = len(rest)
	}
	n, err := strconv.ParseUint(string(rest[:end]), 10, 32)
	return Ordinal(n), err == nil && n < uint64(f.Count)
}
