package sim

import "testing"

func TestD2_7_RunNames(t *testing.T) {
	for run, want := range map[uint32]string{0: "0000", 35: "000z", 36 * 36 * 36 * 36: "0000", 36*36*36*36 - 1: "zzzz"} {
		if got := RunName(run); len(got) != RunNameLength || got != want {
			t.Errorf("%d: %q, want %q", run, got, want)
		}
	}
	p := &Plan{Fleets: []Fleet{{Bindings: []Binding{{MQTT: MQTT{ClientID: "{run}-{id}"}}, {MQTT: MQTT{ClientID: "x{id}"}}}}}}
	p.NameRun(36)
	if a, b := p.Fleets[0].Bindings[0].MQTT.ClientID, p.Fleets[0].Bindings[1].MQTT.ClientID; a != "0010-{id}" || b != "x{id}" {
		t.Errorf("%q, %q", a, b)
	}
}
