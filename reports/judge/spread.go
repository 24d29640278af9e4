package judge

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim"
)

// spread judges how evenly devices were connected to the brokers, at the last moment when as many as
// ever were connected: its value is how far the worst broker was from an even part, as a share of that
// part. Each scheme of MQTT is judged by itself. Devices are whole: of seven on two brokers, three and
// four are even.
func (j *judge) spread(f *finding) {
	if j.in.Plan.Target.Nodes > 0 {
		j.spreadNodes(f)
		return
	}
	groups := make(map[sim.Scheme][]reports.EndpointLoad)
	var order []sim.Scheme
	for _, e := range j.r.Endpoints {
		name, _, _ := strings.Cut(e.Address, "://")
		s := sim.Scheme(name)
		switch {
		case e.Address == reports.Elsewhere && e.Connected > 0:
			f.skip("%d devices were connected to brokers that the target does not name: nobody knows which", e.Connected)
			return
		case s.Channel() != sim.ChannelMQTT:
			continue
		case groups[s] == nil:
			order = append(order, s)
		}
		groups[s] = append(groups[s], e)
	}
	worst, total := -1.0, 0
	for _, s := range order {
		group, sum := groups[s], 0
		for _, e := range group {
			sum += e.Connected
		}
		if len(group) < 2 || sum == 0 {
			continue
		}
		total += sum
		even := float64(sum) / float64(len(group))
		for _, e := range group {
			if off := uneven(e.Connected, even); off > worst {
				worst = off
				f.Note = fmt.Sprintf("%s had %d of %d connections, an even part is %s", e.Address, e.Connected, sum, strconv.FormatFloat(math.Round(1000*even)/1000, 'f', -1, 64))
			}
		}
	}
	if worst < 0 {
		f.skip("no device was connected to one of several brokers")
		return
	}
	f.claim(100*worst, f.Check.Bound, 100*f.Check.Limit, int64(total), "%")
}

// uneven is how far n is from an even part, or from the whole numbers beside it, as a share of it.
func uneven(n int, even float64) float64 {
	return max(0, float64(n)-math.Ceil(even), math.Floor(even)-float64(n)) / even
}
