package fault

import (
	"strconv"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// The arguments of a poor link.
const (
	ArgLatency = "latency" // of each packet, in one direction, as [time.ParseDuration] reads it
	ArgJitter  = "jitter"  // by how much that is more or less, in the same form; none if it is left out
	ArgLoss    = "loss"    // the share of packets, from 0 to 1
	ArgTwice   = "twice"   // the share of datagrams that come twice, from 0 to 1; none if it is left out
)

// poor makes the links of devices slower, unsteady and lossy for its time, limits their rates, and lets datagrams come
// twice, in addition to what is wrong with them anyway. An argument that cannot be read counts as 0: the compiler of
// stories has written them.
func poor() Kind {
	return Kind{
		Site: sim.SiteLink, Verb: "poor-link",
		Link: poorLink,
	}
}

func poorLink(f *sim.Fault) sim.Conditions {
	latency, _ := time.ParseDuration(f.Args[ArgLatency])
	jitter, _ := time.ParseDuration(f.Args[ArgJitter])
	loss, _ := strconv.ParseFloat(f.Args[ArgLoss], 64)
	twice, _ := strconv.ParseFloat(f.Args[ArgTwice], 64)
	rate, _ := strconv.ParseInt(f.Args[ArgRate], 10, 64)
	down, _ := strconv.ParseInt(f.Args[ArgDown], 10, 64)
	return sim.Conditions{Delay: sim.Duration(latency), Jitter: sim.Duration(jitter), Loss: loss, Twice: twice, Rate: rate, Down: down}
}
