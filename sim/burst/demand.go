package burst

import (
	"math"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/pace"
)

// Window is the time over which a demand is averaged: queues carry what is shorter.
const Window = 5 * time.Second

// Demand is what a fleet asks for in one second of the timeline.
type Demand struct{ Connects, Messages float64 }

// Demands returns what each fleet of a plan asks for in each second of its timeline, as far as the plan says it: it
// leaves out reconnects, which nobody knows beforehand, and takes no time for waiting until everything is settled.
func Demands(p *sim.Plan) [][]Demand {
	seconds := int(p.Duration().D()/time.Second) + 1
	list := make([][]Demand, len(p.Fleets))
	for i := range list {
		list[i] = make([]Demand, seconds)
	}
	var load pace.Load
	online := make([][]float64, len(p.Fleets)) // by fleet and second: how many more, or fewer, are connected
	for i := range online {
		online[i] = make([]float64, seconds+1)
	}
	base := time.Duration(0) // of the segment
	for k := range p.Acts {
		a := &p.Acts[k]
		if k > 0 && a.Segment != p.Acts[k-1].Segment {
			last := &p.Acts[k-1]
			base += last.At.D()
		}
		start := base + a.At.D()
		switch a.Kind {
		case sim.ActLoad:
			load = load.With(start, a.Load)
		case sim.ActConnect, sim.ActComeBack:
			i := p.FleetIndex(a.Select.Fleet)
			if i < 0 {
				continue
			}
			n := a.Select.Size(p.Fleets[i].Count)
			for rank := range n {
				at := min(int((start+pace.Arrival(a, rank, n))/time.Second), seconds-1)
				list[i][at].Connects++
				online[i][at+1]++
			}
		default: // the others ask for nothing that is known beforehand
		}
	}
	for i := range p.Fleets {
		now := 0.0
		for s := range list[i] {
			now += online[i][s]
			at := time.Duration(s) * time.Second
			list[i][s].Messages = min(now, float64(p.Fleets[i].Count)) * each(&p.Fleets[i], load.Integral(at), load.Integral(at+time.Second))
		}
	}
	return list
}

// each is how many messages one device of a fleet sends between two moments of the nominal clock, on average.
func each(f *sim.Fleet, from, to time.Duration) (sum float64) {
	for i := range f.Skills {
		switch k := &f.Skills[i]; {
		case k.Every <= 0:
		case k.Full:
			sum += fulls(k, to) - fulls(k, from)
		default:
			sum += (to - from).Seconds() / k.Every.D().Seconds()
		}
	}
	return sum
}

// fulls is how often a device acts before a moment of the nominal clock, on average, by the law of [pace.Aligned].
func fulls(k *sim.Skill, t time.Duration) float64 {
	every, off := k.Every.D(), k.Off.D()
	t += off
	whole := t / every
	if off == 0 {
		return math.Ceil(float64(t) / float64(every))
	}
	return float64(whole) + min(1, float64(t%every)/float64(2*off))
}

// Peak is the most that is asked for in a [Window].
type Peak struct {
	At                 time.Duration // since T0, its beginning
	Connects, Messages float64       // a second, of all fleets
	Share              float64       // of what the machine carries: above 1 is too much
	OfConnects         float64       // the part of Share that connects are
}

// Asked returns the peak of demands, by fleet, on a machine that carries so much of each fleet. A rate that is 0 is
// not known, and what needs it counts as nothing.
func Asked(list [][]Demand, carries []Rates) (peak Peak) {
	width := int(Window / time.Second)
	for s := 0; len(list) > 0 && s < len(list[0]); s++ {
		p := Peak{At: time.Duration(s) * time.Second}
		for i := range list {
			for _, d := range list[i][s:min(s+width, len(list[i]))] {
				p.Connects += d.Connects / float64(width)
				p.Messages += d.Messages / float64(width)
				if c := carries[i].Connects; c > 0 {
					p.OfConnects += d.Connects / c / float64(width)
				}
				if m := carries[i].Messages; m > 0 {
					p.Share += d.Messages / m / float64(width)
				}
			}
		}
		if p.Share += p.OfConnects; p.Share > peak.Share {
			peak = p
		}
	}
	return peak
}
