package targets_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/myriad-iot/myriad/docker"
	"github.com/myriad-iot/myriad/scenarios/targets"
	"github.com/myriad-iot/myriad/sim"
)

// Each entry can be found and started, and its services are told apart.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range targets.Table() {
		if seen[e.Name] || e.Name == "" || strings.Contains(e.Name, "://") {
			t.Errorf("entry %q: no name of its own", e.Name)
		}
		seen[e.Name] = true
		if found, ok := targets.Find(e.Name); !ok || found.Name != e.Name {
			t.Errorf("%s is not found", e.Name)
		}
		if (len(e.Containers) > 0) != (e.Kind == sim.TargetContainer) {
			t.Errorf("%s is %s and has %d containers", e.Name, e.Kind, len(e.Containers))
		}
		names, channels := map[string]bool{}, map[sim.Channel]bool{}
		for _, s := range e.Services() {
			if names[s.Name] || channels[s.Channel()] {
				t.Errorf("%s: service %q is there twice", e.Name, s.Name)
			}
			names[s.Name], channels[s.Channel()] = true, true
			if len(s.Breaks) == 0 {
				t.Errorf("%s: service %q is Myriad's, and nothing of it can be broken", e.Name, s.Name)
			}
			for _, scheme := range s.Schemes {
				if scheme.Channel() != s.Channel() {
					t.Errorf("%s: service %q has schemes of two channels", e.Name, s.Name)
				}
			}
			if s.Schemes[0].Transport() != sim.TransportPlain {
				t.Errorf("%s: service %q does not serve its plain scheme, by which the probe and the operator come", e.Name, s.Name)
			}
		}
	}
	if !slices.Equal(targets.Names(sim.TargetEmbedded), []string{"embedded"}) {
		t.Errorf("embedded: %q", targets.Names(sim.TargetEmbedded))
	}
}

// A container can be set up for its first scheme, and for each other one that it serves.
func TestContainersAreConfigured(t *testing.T) {
	for _, e := range targets.Table() {
		for _, c := range e.Containers {
			if c.Image == "" || c.Tag == "" || c.Local == "" || len(c.Command) == 0 || len(c.Version) == 0 || c.Banner == "" {
				t.Errorf("%s: %+v lacks something", e.Name, c)
			}
			for _, scheme := range c.Service.Schemes {
				s := docker.Setup{Bind: docker.Loopback, Private: make([]int, c.Private), Listeners: []docker.Listener{{Scheme: c.Service.Schemes[0], Port: 20001}},
					Certificate: docker.Certificate{CA: []byte("ca"), Certificate: []byte("cert"), Key: []byte("key")}}
				if scheme != c.Service.Schemes[0] {
					s.Listeners = append(s.Listeners, docker.Listener{Scheme: scheme, Port: 20002})
				}
				files, err := c.Files(&s)
				if err != nil {
					t.Errorf("%s, %s: %v", e.Name, scheme, err)
				}
				all := ""
				for _, text := range files {
					all += string(text)
				}
				for _, l := range s.Listeners {
					if !strings.Contains(all, fmt.Sprint(l.Port)) {
						t.Errorf("%s: nothing listens for %s", e.Name, l.Scheme)
					}
				}
			}
		}
	}
}

func TestServices(t *testing.T) {
	for _, c := range []struct {
		name string
		t    sim.TargetSpec
		want string // name, schemes, facts and powers of each
	}{
		{"embedded", sim.TargetSpec{Kind: sim.TargetEmbedded},
			"broker [mqtt mqtts ws wss] [received stored] 3, coap [coap coaps coap+tcp coaps+tcp] [received stored] 3"},
		{"mosquitto", sim.TargetSpec{Kind: sim.TargetContainer, Name: "mosquitto"}, "broker [mqtt mqtts ws wss] [received] 6"},
		{"mosquitto beside the own server", sim.TargetSpec{Kind: sim.TargetContainer, Name: "mosquitto", Embedded: []sim.Channel{sim.ChannelCoAP}},
			"broker [mqtt mqtts ws wss] [received] 6, coap [coap coaps coap+tcp coaps+tcp] [received stored] 3"},
		{"yours", sim.TargetSpec{Kind: sim.TargetExternal, Endpoints: sim.Endpoints{sim.SchemeWS: {"a:1"}, sim.SchemeCoAP: {"a:2"}, sim.SchemeMQTT: {}}},
			"broker [ws] [received] 0, coap [coap] [] 0"},
		{"nobody's", sim.TargetSpec{Kind: sim.TargetContainer, Name: "unknown"}, ""},
	} {
		var got []string
		for _, s := range targets.Services(&c.t) {
			got = append(got, fmt.Sprint(s.Name, " ", s.Schemes, " ", s.Tells, " ", len(s.Breaks)))
			if named := targets.Named(&c.t, s.Name); named == nil || named.Role != s.Role {
				t.Errorf("%s: %q is not found by its name", c.name, s.Name)
			}
			if serving := targets.Serving(&c.t, s.Channel()); serving == nil || serving.Name != s.Name {
				t.Errorf("%s: %q is not found by its channel", c.name, s.Name)
			}
		}
		if text := strings.Join(got, ", "); text != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, text, c.want)
		}
		if targets.Named(&c.t, "no such service") != nil || targets.Serving(&c.t, "no such channel") != nil {
			t.Errorf("%s: found what is not there", c.name)
		}
	}
}

// Who tells figures of itself, and how.
func TestFigures(t *testing.T) {
	container := func(name string, own ...sim.Channel) sim.TargetSpec {
		return sim.TargetSpec{Kind: sim.TargetContainer, Name: name, Embedded: own}
	}
	yours := func(s sim.Scheme, own ...sim.Channel) sim.TargetSpec {
		return sim.TargetSpec{Kind: sim.TargetExternal, Endpoints: sim.Endpoints{s: {"a:1"}}, Embedded: own}
	}
	for _, c := range []struct {
		t       sim.TargetSpec
		service string
		want    docker.Figures
	}{
		{container("mosquitto"), "broker", docker.Figures{Form: docker.FiguresTopics}},
		{container("nats"), "broker", docker.Figures{Form: docker.FiguresJSON, Path: "/varz", Connections: "connections"}},
		{container("rabbitmq"), "broker", docker.Figures{Form: docker.FiguresPrometheus, Path: "/metrics", Connections: "rabbitmq_connections"}},
		{container("rabbitmq", sim.ChannelCoAP), "coap", docker.Figures{}},
		{container("ejabberd"), "broker", docker.Figures{}},
		{container("mosquitto"), "coap", docker.Figures{}},
		{yours(sim.SchemeMQTTS), "broker", docker.Figures{Form: docker.FiguresTopics}},
		{yours(sim.SchemeCoAP, sim.ChannelMQTT), "broker", docker.Figures{}},
		{yours(sim.SchemeCoAP), "coap", docker.Figures{}},
		{sim.TargetSpec{Kind: sim.TargetEmbedded}, "broker", docker.Figures{}},
		{sim.TargetSpec{Kind: sim.TargetVirtual, Name: "virtual"}, "broker", docker.Figures{}},
	} {
		if got := targets.Figures(&c.t, c.service); got != c.want {
			t.Errorf("%s of %+v: %+v, want %+v", c.service, c.t, got, c.want)
		}
	}
}

// A cluster's nodes and its balancer are services of their own, beside the whole.
func TestClusters(t *testing.T) {
	for _, name := range targets.Clusters() {
		spec := sim.TargetSpec{Kind: sim.TargetContainer, Name: name, Nodes: 3}
		var names []string
		for _, s := range targets.Services(&spec) {
			names = append(names, s.Name)
			if (s.Nodes > 0) != (len(s.Breaks) == 0) || (s.Nodes > 0) != (s.Name == "broker") {
				t.Errorf("%s: %+v", name, s)
			}
			if called := targets.Called(s.Name); called == nil || called.Channel() != sim.ChannelMQTT {
				t.Errorf("%s: %q is no service of any target", name, s.Name)
			}
		}
		if got := strings.Join(names, ", "); got != "broker, broker 1, broker 2, broker 3, balancer" {
			t.Errorf("%s: %s", name, got)
		}
		alone := sim.TargetSpec{Kind: sim.TargetContainer, Name: name}
		for service, want := range map[string][3]float64{"broker": {0, 1, 1}, "broker 2": {1, 1. / 3, 1}, "balancer": {1, 1, 1}} {
			got := [3]float64{0, targets.Share(&spec, service), targets.Share(&alone, service)}
			for _, c := range targets.Containers(&spec) {
				if c.Service.Name == service {
					got[0]++
				}
			}
			if got != want {
				t.Errorf("%s, %q: %v, want %v", name, service, got, want)
			}
		}
		if list := targets.Containers(&alone); len(list) != 1 || list[0].Node != 0 {
			t.Errorf("%s alone: %+v", name, list)
		}
		if whole := targets.Serving(&spec, sim.ChannelMQTT); whole.Serves(sim.SchemeCoAP) || !whole.Serves(sim.SchemeMQTT) || !whole.Told(sim.FactReceived) {
			t.Errorf("%s: %+v", name, whole)
		}
	}
	if targets.Called("broker 8") != nil || targets.Called("broker 0") != nil {
		t.Error("there are nodes that no cluster has")
	}
	if got := targets.Clusters(); !slices.Equal(got, []string{"nats", "rabbitmq"}) {
		t.Errorf("%q form clusters", got)
	}
}
