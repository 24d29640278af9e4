package burst

import (
	"slices"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

const (
	fitRounds = 50   // more than the largest demands need
	leastStep = 1.02 // of a round

	// messagesMost is the share of what may be asked for that messages may take where devices connect meanwhile: what
	// is left must be enough to connect with.
	messagesMost = 0.75
)

// Fit returns a slower plan that asks for at most so large a share, above 0, of what the machine carries of each fleet,
// and how much slower it is: see [sim.Plan.Slower]. Connects are made slower first, messages where that cannot be
// enough. It returns false if no pace helps.
func Fit(p *sim.Plan, carries []Rates, share float64) (slower *sim.Plan, by sim.Paced, ok bool) {
	by = sim.Paced{Connects: 1, Messages: 1}
	for range fitRounds {
		slower = p.Slower(by.Connects, by.Messages)
		peak := Asked(Demands(slower), carries)
		messages := peak.Share - peak.OfConnects
		switch {
		case peak.Share <= share:
			return slower, by, true
		case peak.OfConnects <= 0 || messages > share*messagesMost:
			by.Messages *= max(leastStep, messages/(share-min(peak.OfConnects, share*(1-messagesMost))))
		default:
			by.Connects *= max(leastStep, peak.OfConnects/(share-messages))
		}
		if by.Connects > slowestConnects || by.Messages > slowestMessages {
			break
		}
	}
	return nil, by, false
}

// How many times slower a plan may become: it is another story then. Connects may be all at once in the story.
const slowestConnects, slowestMessages = 10_000, 1000

// Most returns the most connects and the most messages, each a second in any [Window], that are asked for in all.
func Most(list [][]Demand) (connects, messages float64) {
	width := int(Window / time.Second)
	for s := 0; len(list) > 0 && s < len(list[0]); s++ {
		var d Demand
		for i := range list {
			for _, one := range list[i][s:min(s+width, len(list[i]))] {
				d.Connects += one.Connects / float64(width)
				d.Messages += one.Messages / float64(width)
			}
		}
		connects, messages = max(connects, d.Connects), max(messages, d.Messages)
	}
	return connects, messages
}

// Median is the middle of what was measured several times, of each fleet and each rate on its own; what was measured
// none of the times stays 0. How busy the cores were then is left out.
func Median(tries [][]Rates) []Rates {
	middle := func(of func(*Rates) float64, fleet int) float64 {
		var list []float64
		for _, try := range tries {
			if v := of(&try[fleet]); v > 0 {
				list = append(list, v)
			}
		}
		if len(list) == 0 {
			return 0
		}
		slices.Sort(list)
		return (list[(len(list)-1)/2] + list[len(list)/2]) / 2
	}
	median := make([]Rates, len(tries[0]))
	for i := range median {
		median[i].Connects = middle(func(r *Rates) float64 { return r.Connects }, i)
		median[i].Messages = middle(func(r *Rates) float64 { return r.Messages }, i)
	}
	return median
}
