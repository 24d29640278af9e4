package targets

import (
	"slices"

	"github.com/myriad-iot/myriad/docker"
	"github.com/myriad-iot/myriad/sim"
)

// nodesOf is what stories call the service whose nodes are a cluster.
const nodesOf = "broker"

// Containers are those that a plan's target is made of.
func Containers(t *sim.TargetSpec) []docker.Container {
	e, ok := Find(t.Name)
	switch {
	case !ok:
		return nil
	case t.Nodes > 0:
		return docker.Cluster(e.Containers[0], t.Nodes)
	}
	return e.Containers
}

// cluster are the services of an entry whose broker is a cluster of n nodes. The first is the cluster, which devices speak to;
// nothing can be done to it as a whole. Nodes and the balancer are services of their own.
func cluster(e *Entry, n int) []sim.Service {
	all := docker.Cluster(e.Containers[0], n)
	whole, front := e.Containers[0].Service, all[n].Service
	whole.Nodes, whole.Breaks = n, nil
	whole.Schemes = slices.DeleteFunc(slices.Clone(whole.Schemes), func(s sim.Scheme) bool { return !front.Serves(s) })
	list := []sim.Service{whole}
	for i := range all {
		list = append(list, all[i].Service)
	}
	return list
}

// Clusters lists the names of the targets in containers whose broker can be a cluster.
func Clusters() []string {
	var list []string
	for _, e := range Table() {
		if len(e.Containers) > 0 && e.Containers[0].Joins {
			list = append(list, e.Name)
		}
	}
	return list
}

// member is the node of some cluster, or its balancer, that stories call so; nil if there is none.
func member(name string) *sim.Service {
	e, ok := Find(Clusters()[0])
	if !ok {
		return nil
	}
	list := cluster(&e, docker.MaxNodes)[1:]
	if i := slices.IndexFunc(list, func(s sim.Service) bool { return s.Name == name }); i >= 0 {
		return &list[i]
	}
	return nil
}

// Share is what part of a target's connections a service holds, 1 if it is none of several nodes.
func Share(t *sim.TargetSpec, service string) float64 {
	for _, c := range Containers(t) {
		if c.Service.Name == service && c.Node > 0 {
			return 1 / float64(t.Nodes)
		}
	}
	return 1
}
