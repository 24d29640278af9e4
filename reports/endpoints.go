package reports

import (
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// EndpointLoad is the work of one endpoint of the target, for all fleets that connect to it. Devices are
// spread over a fleet's endpoints by their ordinal. If a server redirects them, they count at the other endpoint.
type EndpointLoad struct {
	Address   string `json:"address"`   // "mqtt://10.0.0.1:1883"; [Elsewhere] is all that the target does not name
	Devices   int    `json:"devices"`   // that dial it first
	Connected int    `json:"connected"` // devices, at the last moment when as many as ever were connected, by the connections that they report by
	Connects  uint64 `json:"connects"`  // connections that were established
	Sent      uint64 `json:"sent"`      // messages that were first handed to the kernel
	Acked     uint64 `json:"acked"`     // messages that were acknowledged
	Failures  uint64 `json:"failures"`  // calls, connections and messages that failed

	Second  int    `json:"second,omitempty"`          // of Devices, those that dial it for a second connection, which is not in Connected
	Seconds uint64 `json:"second_connects,omitempty"` // of Connects, those of second connections
}

// Elsewhere is the address of the servers that devices were sent to and that the target does not name.
const Elsewhere = "elsewhere"

// site is an endpoint of a scheme, by its number.
type site struct {
	scheme sim.Scheme
	number uint16
}

// sites are the endpoints that fleets of the plan dial, in the target's order, those without a number
// last in their scheme.
func sites(in *Input) []site {
	used := make(map[sim.Scheme]bool)
	for i := range in.Plan.Fleets {
		for _, b := range in.Plan.Fleets[i].Conversations() {
			used[b.Scheme()] = true
		}
	}
	var list []site
	for _, s := range sim.Schemes() {
		if !used[s] || len(in.Endpoints[s]) == 0 {
			continue
		}
		for i, address := range in.Endpoints[s] {
			if n := in.Endpoints.Number(s, address); int(n) == i+1 { // else it is there twice
				list = append(list, site{s, n})
			}
		}
		list = append(list, site{s, 0})
	}
	return list
}

// endpointLoads is the load of each endpoint. Of those that the target does not name there is a row only
// if anything was done there.
func endpointLoads(in *Input, changes []ledger.LinkChange) []EndpointLoad {
	at := make(map[site]*EndpointLoad)
	order := sites(in)
	for _, s := range order {
		at[s] = &EndpointLoad{Address: Elsewhere}
		if s.number > 0 {
			at[s].Address = string(s.scheme) + "://" + in.Endpoints[s.scheme][s.number-1]
		}
	}
	for i := range in.Plan.Fleets {
		f := &in.Plan.Fleets[i]
		for line, b := range f.Conversations() {
			scheme := b.Scheme()
			rows := make([]*EndpointLoad, len(in.Endpoints[scheme]))
			for slot, address := range in.Endpoints[scheme] {
				rows[slot] = at[site{scheme, in.Endpoints.Number(scheme, address)}]
			}
			if len(rows) == 0 {
				continue
			}
			for o := range f.Count {
				l := rows[sim.Spread(sim.Ordinal(o), len(rows))]
				if l.Devices++; line > 0 {
					l.Second++
				}
			}
		}
	}
	for s, n := range fullest(in.Plan, changes) {
		if l := at[s]; l != nil {
			l.Connected = n
		}
	}
	for _, load := range in.Fold.loads {
		scheme, number := in.Plan.Fleets[load.Fleet].Endpoint(load.Endpoint)
		if l := at[site{scheme, number}]; l != nil {
			l.Connects += load.Connects
			if sim.LineOf(load.Endpoint) > 0 {
				l.Seconds += load.Connects
			}
			l.Sent += load.Sent
			l.Acked += load.Acked
			l.Failures += load.Failures
		}
	}
	var list []EndpointLoad
	for _, s := range order {
		if l := at[s]; s.number > 0 || l.Connected > 0 || l.Connects|l.Sent|l.Acked|l.Failures != 0 {
			list = append(list, *l)
		}
	}
	return list
}

// fullest is how many devices were connected to each endpoint at the last moment when as many as ever
// were connected in all. Changes are sorted.
func fullest(p *sim.Plan, changes []ledger.LinkChange) map[site]int {
	// There are two passes: which moment it is, and who was where then.
	most, last := 0, 0
	follow(p, changes, func(i, present int, _ site, _ int) {
		if present >= most {
			most, last = present, i+1
		}
	})
	held := make(map[site]int)
	follow(p, changes[:last], func(_, _ int, s site, step int) { held[s] += step })
	return held
}

// follow calls f for every change of a device's state with its index, how many devices are connected
// after it, and where it took one away or brought one.
func follow(p *sim.Plan, changes []ledger.LinkChange, f func(i, present int, s site, step int)) {
	const down = -1
	where := make([][]int32, len(p.Fleets)) // number of the endpoint of each device, or down
	for i := range where {
		where[i] = make([]int32, p.Fleets[i].Count)
		for o := range where[i] {
			where[i][o] = down
		}
	}
	present := 0
	for i, l := range changes {
		now := &where[l.Fleet][l.Device]
		if (*now != down) == l.Up {
			continue
		}
		scheme := p.Fleets[l.Fleet].Data().Scheme()
		if l.Up {
			*now = int32(l.Endpoint)
			present++
			f(i, present, site{scheme, l.Endpoint}, 1)
			continue
		}
		s := site{scheme, uint16(*now)}
		*now = down
		present--
		f(i, present, s, -1)
	}
}
