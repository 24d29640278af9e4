package docker

import (
	"slices"
	"strconv"

	"github.com/myriad-iot/myriad/sim"
)

// The bounds of how many nodes a cluster has. More than seven make a quorum slower and not safer.
const (
	MinNodes = 2
	MaxNodes = 7
)

// Cluster is n containers of a broker as the nodes of one cluster, and the balancer before them. Stories call the
// nodes as [NodeName] says. The nodes need a network of their own, in which they see each other by name.
func Cluster(broker Container, n int) []Container {
	var list []Container
	for i := range n {
		node := broker
		node.Service.Name, node.Node = NodeName(broker.Service.Name, i+1), i+1
		node.Service.Breaks = append(slices.Clone(broker.Service.Breaks), sim.PowerCut)
		list = append(list, node)
	}
	return append(list, HAProxy())
}

// NodeName is what stories call the i-th node of a cluster, from 1: "broker 2".
func NodeName(service string, i int) string { return service + " " + strconv.Itoa(i) }

// HostName is the name of the i-th node in the network of its cluster.
func HostName(i int) string { return "broker-" + strconv.Itoa(i) }
