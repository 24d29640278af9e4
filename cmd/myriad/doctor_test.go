package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/myriad-iot/myriad/sim"
	hosts "github.com/myriad-iot/myriad/sim/host"
)

func small() hosts.Limits {
	return hosts.Limits{HardFiles: 20_000, SoftFiles: 20_000, PortFirst: 32_768, PortLast: 60_999, MemoryAvailable: 24e9, CPUs: 2}
}

func planOf(count int, b sim.Binding, target sim.TargetSpec) *sim.Plan {
	b.Role = sim.RoleData
	fleet := func(name string) sim.Fleet {
		return sim.Fleet{Name: name, Count: count, Bindings: []sim.Binding{b}}
	}
	return &sim.Plan{
		Target: target, Fleets: []sim.Fleet{fleet("meters"), fleet("never")},
		Acts: []sim.Act{{Kind: sim.ActConnect, Select: &sim.Selection{Fleet: "meters"}}},
	}
}

func TestNeedOf(t *testing.T) {
	two := sim.Endpoints{sim.SchemeMQTT: {"127.0.0.1:1", "127.0.0.1:2"}, sim.SchemeCoAP: {"127.0.0.1:3"}}
	for _, tc := range []struct {
		name    string
		binding sim.Binding
		target  sim.TargetSpec
		want    hosts.Need
	}{
		{"embedded", sim.Binding{Channel: sim.ChannelMQTT}, sim.TargetSpec{Kind: sim.TargetEmbedded},
			hosts.Need{MQTT: 100_000, Embedded: true, Destinations: 6}},
		{"external", sim.Binding{Channel: sim.ChannelMQTT}, sim.TargetSpec{Kind: sim.TargetExternal, Endpoints: two},
			hosts.Need{MQTT: 100_000, Destinations: 2}},
		{"CoAP", sim.Binding{Channel: sim.ChannelCoAP}, sim.TargetSpec{Kind: sim.TargetExternal, Endpoints: two},
			hosts.Need{CoAP: 100_000}},
		{"DTLS", sim.Binding{Channel: sim.ChannelCoAP, Transport: sim.TransportDTLS}, sim.TargetSpec{Kind: sim.TargetExternal},
			hosts.Need{CoAPOverDTLS: 100_000}},
	} {
		if runtime.GOOS == "linux" { // all of these targets are on loopback
			tc.want.SourceAddresses = loopbackSources
		}
		if got := needOf(small(), planOf(100_000, tc.binding, tc.target)); got != tc.want {
			t.Errorf("%s: %+v, want %+v", tc.name, got, tc.want)
		}
	}
}

func TestFitRefuses(t *testing.T) {
	p := planOf(100_000, sim.Binding{Channel: sim.ChannelMQTT}, sim.TargetSpec{Kind: sim.TargetEmbedded})
	if err := fit(small(), p); err != nil {
		t.Errorf("ample: %v", err)
	}
	l := small()
	l.MemoryAvailable = 1e9
	err := fit(l, p)
	for _, want := range []string{"100000 devices need 6 workers", "myriad doctor", "memory: needs 9.6 GB"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

// A target on loopback is found by its port, and its own limit counts.
func TestDoctorFindsTarget(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	target, err := endpointsOf("mqtt://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, p := range each(os.DirFS("/"), small(), 10, target) {
		for _, f := range p.Findings {
			found = found || strings.HasPrefix(f.Limit, "descriptors of the target")
		}
	}
	if !found {
		t.Error("the listener's own limit was not looked at")
	}
	if _, err := endpointsOf("mosquitto"); err == nil {
		t.Error("a name was taken for an address")
	}
}

func TestDoctorTells(t *testing.T) {
	l := small()
	for devices, code := range map[int]int{1_000: exitPassed, 1_000_000: exitInvalid} {
		for _, asJSON := range []bool{false, true} {
			var out bytes.Buffer
			err := tell(&out, l, each(os.DirFS("/"), l, devices, nil), asJSON)
			var e *exitError
			if got := errors.As(err, &e); got != (code != exitPassed) || got && e.code != code {
				t.Errorf("%d devices: %v, want exit code %d", devices, err, code)
			}
			if asJSON && !json.Valid(out.Bytes()) {
				t.Errorf("no JSON: %s", out.String())
			}
			if !asJSON && !strings.Contains(out.String(), "19000 devices per worker process") {
				t.Errorf("no summary in %s", out.String())
			}
		}
	}
}
