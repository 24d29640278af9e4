package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net"
	"os"
	"strings"
	"testing"

	hosts "github.com/myriad-iot/myriad/sim/host"
)

func small() hosts.Limits {
	return hosts.Limits{HardFiles: 20_000, SoftFiles: 20_000, PortFirst: 32_768, PortLast: 60_999, MemoryAvailable: 24e9, CPUs: 2}
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
