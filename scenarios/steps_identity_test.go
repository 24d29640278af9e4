package scenarios

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/myriad-iot/myriad/sim"
)

// Copies are a fleet of their own, each with the client id and the credential of the device that it copies. They take
// nothing else of it: no reports, no subscriptions, no will.
func TestCopies(t *testing.T) {
	s := plan(t, `
		Given a fleet "lights" of 10 "sensor" devices
		And a fleet "rooms" of 40 "sensor" devices
		And fleet "rooms" speaks MQTT 5 over TLS
		And fleet "rooms" keeps its session for 1h
		And fleet "rooms" subscribes to "building/all"
		And fleet "rooms" connects with client id "site-7/{id}"
		And fleet "rooms" logs in as "{fleet}/{id}"
		And devices of "rooms" leave the will "gone" on "building/{id}/state"
		And every device of "rooms" has its own certificate from CA "the run"
		And fleet "rooms" has 4 devices whose identity is copied
		And devices reconnect like "fixed-5s"
		When fleet "lights" connects evenly over 10s
		And fleet "rooms" connects evenly over 10s
		And a hostile client uses the identity of device "rooms-7" for 20s
		And phase "p" runs for 10s
		Then no message is lost`, Options{})
	p := &s.Plan
	if len(p.Fleets) != 4 {
		t.Fatalf("%d fleets", len(p.Fleets))
	}
	f, copies, hostile := &p.Fleets[1], &p.Fleets[2], &p.Fleets[3]
	want := f.Bindings[0]
	want.MQTT.Will, want.MQTT.Subscribe = nil, nil
	if d := cmp.Diff([]sim.Binding{want}, copies.Bindings, cmp.AllowUnexported(sim.Secret{})); d != "" {
		t.Errorf("what copies connect with, -want +got:\n%s", d)
	}
	if copies.Name != "copies of rooms" || hostile.Name != "copies of rooms (2)" || len(copies.Skills)+len(hostile.Skills) > 0 {
		t.Errorf("%+v\n%+v", copies, hostile)
	}
	// The same devices as any other sentence selects.
	four := sim.Selection{Fleet: "rooms", Count: 4}
	for o := range sim.Ordinal(40) {
		rank, in := four.Rank(sim.FleetKey(p.Seed, 1), o, 40)
		if in != slices.Contains(copies.Copies.Which, o) || in && copies.Copies.Which[rank] != o {
			t.Errorf("device %d is one of %v: %v, as number %d", o, copies.Copies.Which, in, rank)
		}
	}
	if d := cmp.Diff(&sim.Copies{Of: "rooms", Fleet: 1, Which: []sim.Ordinal{7}}, hostile.Copies); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if hostile.DeviceID(0) != "copy of rooms-7" || hostile.ShownID(0) != "rooms-7" || hostile.Family() != "rooms" || hostile.Original(0) != 7 {
		t.Errorf("%q shows %q of %q", hostile.DeviceID(0), hostile.ShownID(0), hostile.Family())
	}
	c := sim.Caller{Fleet: 3, Copies: hostile.Copies}
	if fleet, o := c.Identity(); fleet != 1 || o != 7 {
		t.Errorf("its credential is that of device %d of fleet %d", o, fleet)
	}
	type act struct {
		kind  sim.ActKind
		fleet string
		at    time.Duration
	}
	var acts []act
	for _, a := range p.Acts[:5] {
		acts = append(acts, act{a.Kind, a.Select.Fleet, a.At.D()})
	}
	wantActs := []act{
		{sim.ActConnect, "lights", 0}, {sim.ActConnect, "rooms", 10 * time.Second}, {sim.ActConnect, "copies of rooms", 20 * time.Second},
		{sim.ActConnect, "copies of rooms (2)", 20 * time.Second}, {sim.ActOffline, "copies of rooms (2)", 40 * time.Second},
	}
	if d := cmp.Diff(wantActs, acts, cmp.AllowUnexported(act{})); d != "" {
		t.Errorf("acts, -want +got:\n%s", d)
	}
	if at := p.Acts[2].Origin; !strings.HasSuffix(at, ":12") {
		t.Errorf("the copies connect by %s", at)
	}
}

// --scale changes how many devices are copied as it changes all counts, and copies take the name of the run like those
// that they copy.
func TestCopiesOfAScaledFleet(t *testing.T) {
	s := plan(t, `
		Given a fleet "rooms" of 100 "sensor" devices
		And the external broker "mqtt://127.0.0.1:1883"
		And fleet "rooms" has 100 devices whose identity is copied
		When fleet "rooms" connects evenly over 10s
		And a hostile client uses the identity of all devices of "rooms"
		And phase "p" runs for 10s
		Then no message is lost`, Options{Scale: 0.1})
	for _, f := range s.Plan.Fleets {
		if f.Count != 10 || f.Data().MQTT.ClientID != "{run}-{id}" {
			t.Errorf("%s: %d devices, as %q", f.Name, f.Count, f.Data().MQTT.ClientID)
		}
	}
}

// What cannot be copied is refused, where it is said.
func TestCopiesThatCannotBe(t *testing.T) {
	const tail = `
		When fleet "rooms" connects evenly over 10s
		And phase "p" runs for 10s
		Then no message is lost`
	for sentence, want := range map[string]string{
		`And fleet "rooms" has no devices whose identity is copied`:                                                            "x.feature:4: no device is copied",
		`And fleet "rooms" has 11 devices whose identity is copied`:                                                            "x.feature:4: 11 devices of \"rooms\" are more than there are",
		"And fleet \"rooms\" speaks CoAP\nAnd fleet \"rooms\" has 1 device whose identity is copied":                           "x.feature:5: the fleet \"rooms\" speaks CoAP, where nobody has a session",
		"And fleet \"rooms\" has 1 device whose identity is copied\nAnd fleet \"rooms\" has 1 device whose identity is copied": "said before",
		`When a hostile client uses the identity of 3 devices of "rooms"`:                                                      "not connected yet",
		"When fleet \"rooms\" connects evenly over 1s\nAnd a hostile client uses the identity of 3 devices of \"lights\"":      "unknown fleet",
	} {
		end := tail
		if strings.Contains(sentence, "hostile") {
			end = "\n" + tail[strings.Index(tail, "And"):]
		}
		if said := refused(t, "Given a fleet \"rooms\" of 10 \"sensor\" devices\n\t\t"+sentence+end); !strings.Contains(said, want) {
			t.Errorf("%s: it says %q, want %q", sentence, said, want)
		}
	}
}
