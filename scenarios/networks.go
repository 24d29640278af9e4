package scenarios

import (
	"strings"
	"time"

	"github.com/myriad-iot/myriad/scenarios/words"
	"github.com/myriad-iot/myriad/sim"
)

// network is what the links of devices are like on a kind of network, as far as there are figures for it. The
// conditions are of each direction; a kind with different rates has that of its uplink, for devices mostly send.
type network struct {
	name string
	is   sim.Conditions
	from string // where the figures are from
}

// networks lists them. A new one is a line here.
func networks() []network {
	const kbit = 1000 / 8 // bytes
	ms := sim.Duration(time.Millisecond)
	return []network{
		{"wired", sim.Conditions{Delay: 2 * ms, Rate: 5000 * kbit},
			"WebPageTest's profile FIOS: a round trip of 4 ms, 5 Mbit/s up"},
		{"Wi-Fi", sim.Conditions{Delay: 40 * ms, Rate: 30_000 * kbit, Loss: 0.002},
			"comcast's profile: 40 ms, 30 Mbit/s, 0.2 %"},
		{"3G", sim.Conditions{Delay: 150 * ms, Rate: 768 * kbit, Loss: 0.015},
			"WebPageTest's profile 3G: a round trip of 300 ms, 768 kbit/s up; comcast's: 1.5 %"},
		{"LTE-M", sim.Conditions{Delay: 50 * ms, Rate: 375 * kbit, Loss: 0.02},
			"3GPP Cat-M1 with half duplex: 375 kbit/s up; a round trip of 100 ms; 72 of 1,769 exchanges of a Thingy:91 were repeated, which is 2 % each way"},
		{"NB-IoT", sim.Conditions{Delay: 800 * ms, Rate: 62 * kbit, Loss: 0.02},
			"3GPP Cat-NB1: 62 kbit/s up, a latency of 1.6 s and more; lossy as LTE-M, for want of figures"},
		{"satellite", sim.Conditions{Delay: 260 * ms, Rate: 448 * kbit},
			"ITU-T G.114: 260 ms by a geostationary satellite; Inmarsat BGAN: 448 kbit/s up"},
		{"lossy", sim.Conditions{Delay: 20 * ms, Loss: 0.05}, "no real one: 20 ms, 5 %"},
	}
}

// describedNetworks tells each network in a few words, for the catalogue.
func describedNetworks() string {
	var all []string
	for _, n := range networks() {
		text := n.name + " " + words.PrintDuration(n.is.Delay.D())
		if n.is.Loss > 0 {
			text += ", " + trim(n.is.Loss*100) + "%"
		}
		if n.is.Rate > 0 {
			text += ", " + trim(float64(n.is.Rate)*8/1000) + " kbit/s"
		}
		all = append(all, text)
	}
	return strings.Join(all, "; ")
}

func networkNames() []string {
	var list []string
	for _, n := range networks() {
		list = append(list, n.name)
	}
	return list
}

func parseNetwork(text string) (sim.Conditions, error) {
	for _, n := range networks() {
		if n.name == text {
			return n.is, nil
		}
	}
	return sim.Conditions{}, errParse
}
