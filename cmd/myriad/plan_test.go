package main

import (
	"strings"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// A plan says what its fleets speak, with what carries it, and writes durations as stories do.
func TestPlanSaysWhatFleetsSpeak(t *testing.T) {
	p := &sim.Plan{Fleets: []sim.Fleet{{Name: "rooms", Count: 5, Skills: []sim.Skill{{Name: sim.SkillReport, Topic: "a", Every: sim.Duration(time.Minute)}},
		Bindings: []sim.Binding{{Role: sim.RoleData, Channel: sim.ChannelMQTT, Version: "5", Transport: sim.TransportTLS, QoS: 1}}}}}
	if text := planText(p, ""); !strings.Contains(text, "MQTT 5 over TLS, QoS 1, to a every 1m: ") {
		t.Error(text)
	}
}

// A plan says what its target is, and of how many nodes.
func TestPlanSaysOfHowManyNodes(t *testing.T) {
	p := &sim.Plan{Target: sim.TargetSpec{Kind: sim.TargetContainer, Name: "nats", Nodes: 3}}
	if text := planText(p, ""); !strings.Contains(text, "target container \"nats\", a cluster of 3\n") {
		t.Error(text)
	}
}
