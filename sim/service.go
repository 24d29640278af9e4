package sim

import (
	"slices"
	"strings"
)

// Service is one part of a target as it is known before anything runs: what it is called, what it
// serves, what can be broken about it and what it tells. The table of the targets that Myriad brings up
// is in scenarios/targets.
type Service struct {
	Name    string      // in stories: `"broker" restarts`
	Role    ServiceRole // what it is there for
	Schemes []Scheme    // that it can serve devices by, all of one channel; it always serves the first; none: it serves no device
	Lacks   []Feature   // what of the channel it cannot do
	Breaks  []Power     // what can be done to it on purpose; none if it is not Myriad's
	Tells   []Fact      // what is known of the messages that it was sent
	Nodes   int         // it is a cluster of so many, each of which is a service of its own; 0: it is one by itself
}

// ServiceRole is what a service of a target is there for.
type ServiceRole string

// The roles of services.
const (
	ServiceBroker   ServiceRole = "broker"   // takes messages over MQTT and hands them to subscribers
	ServiceCoAP     ServiceRole = "coap"     // takes and keeps what devices send over CoAP
	ServiceBalancer ServiceRole = "balancer" // hands the connections of devices to the nodes of a cluster
	ServiceAuth     ServiceRole = "auth"     // is asked by a broker over HTTP whether a device may connect; no device speaks to it
	ServiceMonitor  ServiceRole = "monitor"  // reads figures of the others while a run goes on; it is no part of a target
)

// Power is what can be done to a running service through its [Handle]. Faults are made of these.
type Power string

// The powers.
const (
	PowerStop   Power = "stop"   // end it in an orderly way, and start it again
	PowerKill   Power = "kill"   // end it at once, so that nothing is flushed, and start it again
	PowerFreeze Power = "freeze" // hold it, with its sockets open, and let it go on
	PowerLimit  Power = "limit"  // let it have less CPU or memory; its handle is a [Limitable]
	PowerCut    Power = "cut"    // take its network away; its handle is a [Cuttable]
	PowerFill   Power = "fill"   // fill its disk, if that has a limit; its handle is a [Fillable]
	PowerSave   Power = "save"   // keep its data, and give it them again; its handle is a [Savable]
	PowerFail   Power = "fail"   // let it answer with errors; its handle is a [Failable]
)

// HookPowers are those that a command of the user's may have over a service that is not Myriad's.
func HookPowers() []Power { return []Power{PowerStop, PowerKill, PowerFreeze} }

// Fact is what a service tells of the messages that it was sent.
type Fact string

// The facts.
const (
	FactReceived Fact = "received" // a subscriber sees which messages arrive
	FactStored   Fact = "stored"   // it says what it stored before it acknowledges it
)

// Feature is a part of MQTT that not every broker has.
type Feature string

// The features, in words that follow "uses".
const (
	FeatureMQTT5    Feature = "MQTT 5"
	FeatureQoS2     Feature = "QoS 2"
	FeatureShared   Feature = "shared subscriptions"
	FeatureFullStop Feature = "a full stop in a topic"
)

// EmbeddedServices are those of Myriad's own target.
func EmbeddedServices() []Service {
	powers, facts := []Power{PowerStop, PowerKill, PowerFreeze}, []Fact{FactReceived, FactStored}
	return []Service{
		{Name: "broker", Role: ServiceBroker, Breaks: powers, Tells: facts,
			Schemes: []Scheme{SchemeMQTT, SchemeMQTTS, SchemeWS, SchemeWSS}},
		{Name: "coap", Role: ServiceCoAP, Breaks: powers, Tells: facts,
			Schemes: []Scheme{SchemeCoAP, SchemeCoAPS, SchemeCoAPTCP, SchemeCoAPSTCP}},
	}
}

// VirtualServices are those of the target in virtual time.
func VirtualServices() []Service {
	list := EmbeddedServices()
	for i := range list { // their plain schemes come first: without sockets there is no cost of TLS that could be measured
		list[i].Schemes = list[i].Schemes[:1:1]
	}
	return list
}

// AuthName is what stories call the service that decides who may connect.
const AuthName = "auth"

// AuthService is Myriad's own service that brokers in containers ask who may connect, and who may do what.
func AuthService() Service {
	return Service{Name: AuthName, Role: ServiceAuth, Breaks: []Power{PowerStop, PowerKill, PowerFreeze, PowerFail}}
}

// Channel is that of the service's schemes; "" if it serves no device.
func (s *Service) Channel() Channel {
	if len(s.Schemes) == 0 {
		return ""
	}
	return s.Schemes[0].Channel()
}

// Serves reports whether the service can listen at a scheme.
func (s *Service) Serves(scheme Scheme) bool { return slices.Contains(s.Schemes, scheme) }

// Told reports whether the service tells a fact.
func (s *Service) Told(f Fact) bool { return slices.Contains(s.Tells, f) }

// Bears reports whether all of these things can be done to the service.
func (s *Service) Bears(powers []Power) bool {
	return !slices.ContainsFunc(powers, func(p Power) bool { return !slices.Contains(s.Breaks, p) })
}

// Uses lists the features without which a fleet cannot do what it does by its binding of a role.
func (f *Fleet) Uses(r Role) []Feature {
	b := f.Bound(r)
	if b.Channel != ChannelMQTT {
		return nil
	}
	qos, topics := b.QoS, []string{}
	for _, s := range f.Streams() {
		if s.Role == r {
			qos, topics = max(qos, s.QoS), append(topics, s.Topic)
		}
	}
	if w := b.MQTT.Will; w != nil {
		qos, topics = max(qos, w.QoS), append(topics, w.Topic)
	}
	shared := false
	for _, s := range b.MQTT.Subscribe {
		qos, topics = max(qos, s.QoS), append(topics, s.Filter)
		shared = shared || strings.HasPrefix(s.Filter, "$share/")
	}
	stops := slices.ContainsFunc(topics, func(topic string) bool { return strings.Contains(f.Expand(topic, 0), ".") })
	var list []Feature
	for _, feature := range []struct {
		name Feature
		used bool
	}{
		{FeatureMQTT5, b.Version == "5"}, {FeatureQoS2, qos > 1}, {FeatureShared, shared}, {FeatureFullStop, stops},
	} {
		if feature.used {
			list = append(list, feature.name)
		}
	}
	return list
}
