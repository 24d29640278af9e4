// Package targets is the table of the targets that stories, profiles and --target can name, one entry
// each, and tells what is known of a target's services before anything runs.
package targets

import (
	"slices"

	"github.com/myriad-iot/myriad/docker"
	"github.com/myriad-iot/myriad/sim"
)

// Entry is a target that can be named: by --target, by a story, or by a profile.
type Entry struct {
	Name       string
	Kind       sim.TargetKind
	Containers []docker.Container // of TargetContainer: each is one service
	own        []sim.Service      // of TargetEmbedded and TargetVirtual
}

// Table lists the targets. A new target is a line here.
func Table() []Entry {
	return []Entry{
		{Name: "embedded", Kind: sim.TargetEmbedded, own: sim.EmbeddedServices()},
		{Name: "virtual", Kind: sim.TargetVirtual, own: sim.VirtualServices()},
		{Name: "mosquitto", Kind: sim.TargetContainer, Containers: []docker.Container{docker.Mosquitto()}},
		{Name: "nats", Kind: sim.TargetContainer, Containers: []docker.Container{docker.NATS()}},
		{Name: "ejabberd", Kind: sim.TargetContainer, Containers: []docker.Container{docker.Ejabberd()}},
		{Name: "rabbitmq", Kind: sim.TargetContainer, Containers: []docker.Container{docker.RabbitMQ()}},
	}
}

// Services are those of the entry's target.
func (e *Entry) Services() []sim.Service {
	list := e.own
	for i := range e.Containers {
		list = append(slices.Clip(list), e.Containers[i].Service)
	}
	return list
}

// Find returns the entry with a name.
func Find(name string) (Entry, bool) {
	table := Table()
	i := slices.IndexFunc(table, func(e Entry) bool { return e.Name == name })
	if i < 0 {
		return Entry{}, false
	}
	return table[i], true
}

// Names lists the names of the targets of some kinds, in the order of the table; without a kind, all.
func Names(kinds ...sim.TargetKind) []string {
	var list []string
	for _, e := range Table() {
		if len(kinds) == 0 || slices.Contains(kinds, e.Kind) {
			list = append(list, e.Name)
		}
	}
	return list
}

// Brokers lists the names of the targets in containers whose first service is a broker.
func Brokers() []string {
	var list []string
	for _, e := range Table() {
		if e.Kind == sim.TargetContainer && e.Containers[0].Service.Role == sim.ServiceBroker {
			list = append(list, e.Name)
		}
	}
	return list
}

// Asking lists the names of the targets in containers whose broker can ask a service over HTTP who may connect.
func Asking() []string {
	var list []string
	for _, e := range Table() {
		if len(e.Containers) > 0 && e.Containers[0].Asks {
			list = append(list, e.Name)
		}
	}
	return list
}

// Services are those of a plan's target: of its entry, or what its endpoints say of a target that is
// yours, and Myriad's own for the channels that these serve beside it.
func Services(t *sim.TargetSpec) []sim.Service {
	var list []sim.Service
	switch t.Kind {
	case sim.TargetEmbedded:
		return sim.EmbeddedServices()
	case sim.TargetContainer, sim.TargetVirtual:
		if e, ok := Find(t.Name); ok {
			if list = e.Services(); t.Nodes > 0 {
				list = cluster(&e, t.Nodes)
			}
		}
	case sim.TargetExternal:
		list = external(t)
	}
	for _, s := range sim.EmbeddedServices() {
		if slices.Contains(t.Embedded, s.Channel()) {
			list = append(slices.Clip(list), s)
		}
	}
	if t.Auth {
		list = append(slices.Clip(list), sim.AuthService())
	}
	return list
}

// external are the services of a target that is only dialled. Nothing of it can be broken but by a command of the
// user's; a probe may subscribe to what an MQTT broker takes, and nobody sees what a CoAP server does with it.
func external(t *sim.TargetSpec) []sim.Service {
	at := t.Endpoints
	var list []sim.Service
	for _, known := range sim.EmbeddedServices() {
		s := sim.Service{Name: known.Name, Role: known.Role}
		for _, scheme := range known.Schemes {
			if len(at[scheme]) > 0 {
				s.Schemes = append(s.Schemes, scheme)
			}
		}
		if t.Hook != "" {
			s.Breaks = sim.HookPowers()
		}
		if s.Role == sim.ServiceBroker {
			s.Tells = []sim.Fact{sim.FactReceived}
		}
		if len(s.Schemes) > 0 {
			list = append(list, s)
		}
	}
	return list
}

// Figures is how the service of a target that stories call so tells figures of itself. A broker of yours is expected to
// tell them in topics, as most do.
func Figures(t *sim.TargetSpec, service string) docker.Figures {
	named := Named(t, service)
	if named == nil || slices.Contains(t.Embedded, named.Channel()) {
		return docker.Figures{}
	}
	if t.Kind == sim.TargetExternal && named.Role == sim.ServiceBroker {
		return docker.Figures{Form: docker.FiguresTopics}
	}
	if t.Kind == sim.TargetContainer {
		for _, c := range Containers(t) {
			if c.Service.Name == service {
				return c.Figures
			}
		}
	}
	return docker.Figures{}
}

// Serving is the service of a target that devices speak to over a channel, nil if it has none.
func Serving(t *sim.TargetSpec, c sim.Channel) *sim.Service {
	list := Services(t)
	i := slices.IndexFunc(list, func(s sim.Service) bool { return s.Channel() == c })
	if i < 0 {
		return nil
	}
	return &list[i]
}

// Named is the service of a target that stories call so, nil if it has none.
func Named(t *sim.TargetSpec, name string) *sim.Service {
	list := Services(t)
	i := slices.IndexFunc(list, func(s sim.Service) bool { return s.Name == name })
	if i < 0 {
		return nil
	}
	return &list[i]
}

// Called is the first service of the table that stories call so, nil if there is none: what any target's
// service of that name is there for.
func Called(name string) *sim.Service {
	for _, e := range Table() {
		for _, s := range e.Services() {
			if s.Name == name {
				return &s
			}
		}
	}
	if name == sim.AuthName {
		s := sim.AuthService()
		return &s
	}
	return member(name)
}

// ServiceNames lists what stories call services, each once.
func ServiceNames() []string {
	var list []string
	for _, e := range Table() {
		for _, s := range e.Services() {
			if !slices.Contains(list, s.Name) {
				list = append(list, s.Name)
			}
		}
	}
	return append(list, docker.NodeName(nodesOf, 1), docker.HAProxy().Service.Name, sim.AuthName)
}
