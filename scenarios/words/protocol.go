package words

import (
	"slices"
	"strconv"
	"strings"

	"github.com/myriad-iot/myriad/sim"
)

// lower is text with the letters of ASCII in lower case: no other letter passes for one of them.
func lower(text string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, text)
}

// ParseProtocol reads a protocol's name, as sim.Protocol prints it, in any case of letters. "MQTT" alone
// is MQTT 3.1.1.
func ParseProtocol(text string) (sim.Protocol, error) {
	said := lower(text)
	for _, p := range sim.Protocols() {
		for _, name := range p.Names() {
			if said == lower(name) {
				return p, nil
			}
		}
	}
	name, over, _ := strings.Cut(said, " over ")
	var carrier string
	var carriers []string // of what text names
	for _, p := range sim.Protocols() {
		if lower(p.Transport.Name()) == over {
			carrier = p.Transport.Name()
		}
		alone := p
		alone.Transport = sim.TransportPlain
		for _, n := range alone.Names() {
			if lower(n) == name && p != alone {
				carriers = append(carriers, p.Transport.Name())
			}
		}
	}
	if carrier == "" || carriers == nil {
		return sim.Protocol{}, Protocol.mistake(text)
	}
	return sim.Protocol{}, mistake("over "+List(carriers, "or")+" it does", "%s does not run over %s", text[:len(name)], carrier)
}

// protocolPattern is a pattern that the names of protocols fit, and a channel over a transport that it does
// not run over: the reader says so.
func protocolPattern() string {
	var names, over []string
	add := func(list []string, text string) []string {
		if text = anyCase(text); !slices.Contains(list, text) {
			list = append(list, text)
		}
		return list
	}
	for _, p := range sim.Protocols() {
		if p.Transport != sim.TransportPlain {
			over = add(over, p.Transport.Name())
			continue
		}
		for _, name := range p.Names() {
			names = add(names, name)
		}
	}
	return "(?:" + strings.Join(names, "|") + ")(?: " + anyCase("over") + " (?:" + strings.Join(over, "|") + "))?"
}

// Quality is a quality of service as somebody wrote it.
type Quality struct {
	Level byte        // as in sim.Binding: 0, 1 or 2; CoAP: 0 is NON, 1 is CON
	Of    sim.Channel // whose word it is: MQTT's QoS 1, CoAP's CON; "" is a digit alone, which fits both
}

// ParseQoS reads "QoS 0" to "QoS 2", "CON", "NON", in any case of letters, or "0" to "2".
func ParseQoS(text string) (Quality, error) {
	for _, q := range qualities() {
		if lower(text) == lower(q.String()) {
			return q, nil
		}
	}
	return Quality{}, QoS.mistake(text)
}

// qualities lists all that can be said.
func qualities() []Quality {
	list := []Quality{{1, sim.ChannelCoAP}, {0, sim.ChannelCoAP}}
	for level := range byte(3) {
		list = append(list, Quality{level, sim.ChannelMQTT}, Quality{level, ""})
	}
	return list
}

// String is q as it was written, with the case of letters put right.
func (q Quality) String() string {
	switch q.Of {
	case "":
		return strconv.Itoa(int(q.Level))
	case sim.ChannelMQTT:
		return "QoS " + strconv.Itoa(int(q.Level))
	}
	b := sim.Binding{Channel: q.Of, QoS: q.Level}
	return b.Quality()
}

// Fits refuses what the channel does not have: CON of MQTT, QoS 1 of CoAP.
func (q Quality) Fits(c sim.Channel) error {
	if q.Of == "" || q.Of == c {
		return nil
	}
	right := "write QoS 0, QoS 1 or QoS 2"
	if c == sim.ChannelCoAP {
		right = "write CON (acknowledged) or NON"
	}
	return mistake(right, "%s has no %s", c.Name(), q)
}
