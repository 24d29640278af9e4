package fault

import (
	"fmt"
	"slices"
	"testing"

	"github.com/myriad-iot/myriad/sim"
)

// device is a device that says what was done to it.
type device struct{ log []string }

func (d *device) LosePower(at sim.Instant) func(sim.Instant) {
	d.log = append(d.log, fmt.Sprint(at, " lost power"))
	return func(at sim.Instant) { d.log = append(d.log, fmt.Sprint(at, " got power")) }
}

func (d *device) ChangeAddress(at sim.Instant) { d.log = append(d.log, fmt.Sprint(at, " new address")) }

func (d *device) Reset(at sim.Instant) { d.log = append(d.log, fmt.Sprint(at, " reset")) }

func TestWhatFaultsDoToDevices(t *testing.T) {
	want := map[string]struct {
		site        sim.Site
		severs, off bool
		log         []string
	}{
		"power-loss":  {sim.SitePower, true, true, []string{"3s lost power"}},
		"reboot":      {sim.SitePower, true, false, []string{"3s lost power", "3s got power"}},
		"cut":         {sim.SiteLink, false, false, nil},
		"poor-link":   {sim.SiteLink, false, false, nil},
		"flap":        {sim.SiteLink, false, false, nil},
		"move":        {sim.SiteLink, false, false, nil},
		"reset":       {sim.SiteLink, false, false, []string{"3s reset"}},
		"new-address": {sim.SiteLink, false, false, []string{"3s new address"}},
	}
	seen := 0
	for _, k := range Kinds() {
		if !k.OfDevices() {
			continue
		}
		seen++
		d := &device{}
		if k.Do != nil {
			k.Do(d, 3*s)
		}
		if w := want[k.Verb]; k.Site != w.site || k.Severs != w.severs || k.Off != w.off || !slices.Equal(d.log, w.log) {
			t.Errorf("%s at %q: severs %v, off %v, %q; want %+v", k.Verb, k.Site, k.Severs, k.Off, d.log, w)
		}
	}
	if seen != len(want) {
		t.Errorf("%d faults of devices, want %d", seen, len(want))
	}
}

// Only an act that is a fault has a kind, and one of a service is none of devices.
func TestKindsOfActs(t *testing.T) {
	for _, tt := range []struct {
		act     sim.Act
		verb    string
		devices bool
	}{
		{sim.Act{Kind: sim.ActFault, Fault: &sim.Fault{Verb: "power-loss"}}, "power-loss", true},
		{sim.Act{Kind: sim.ActFault, Fault: &sim.Fault{Verb: "kill"}}, "kill", false},
		{sim.Act{Kind: sim.ActFault, Fault: &sim.Fault{Verb: "melt"}}, "", false},
		{sim.Act{Kind: sim.ActOffline}, "", false},
	} {
		k := Of(&tt.act)
		if (k == nil) != (tt.verb == "") || k != nil && k.Verb != tt.verb || k.OfDevices() != tt.devices {
			t.Errorf("%+v: %+v", tt.act, k)
		}
	}
}
