package reports_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/reports/internal/stage"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// What each endpoint carried is exact, whatever the number of workers, and a snapshot that comes twice
// counts once.
func TestEndpointLoads(t *testing.T) {
	p := stage.Plan(10, 10)
	var recorders []*ledger.Recorder
	for k := range uint32(3) {
		recorders = append(recorders, ledger.NewRecorder(p, k, 0))
	}
	at := stage.Brokers(3)
	for o := range sim.Ordinal(10) {
		r := recorders[o%3]
		n := at.Number(sim.SchemeMQTT, at.Of(sim.SchemeMQTT, o))
		if o == 9 {
			n = 0 // it was sent to a server that the target does not name
		}
		sample := func(op sim.Op, outcome sim.Outcome) {
			r.Record(&sim.Sample{Op: op, Endpoint: n, Device: o, Done: time.Second, Outcome: outcome})
		}
		sample(sim.OpConnect, sim.TCPRefused)
		sample(sim.OpConnect, sim.OK)
		r.Link(0, n, o, true, time.Second)
		r.Count(sim.CountSent, 0, n, time.Second)
		r.Count(sim.CountResent, 0, n, time.Second)
		sample(sim.OpPublish, sim.OK)
		sample(sim.OpEndToEnd, sim.OK) // that is not done at an endpoint
		sample(sim.OpPubrec, sim.OK)
		if o == 4 {
			sample(sim.OpPublish, sim.MQTTPubackError)
		}
	}
	f := reports.NewFold(p)
	for _, r := range append(recorders, recorders...) {
		s := r.Snapshot() // of the second time nothing is left
		for range 2 {
			if err := f.Add(&s); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := []reports.EndpointLoad{
		{"mqtt://a:1", 4, 3, 3, 3, 3, 3, 0, 0},
		{"mqtt://b:1", 3, 3, 3, 3, 3, 4, 0, 0},
		{"mqtt://c:1", 3, 3, 3, 3, 3, 3, 0, 0},
		{reports.Elsewhere, 0, 1, 1, 1, 1, 1, 0, 0},
		{"coap://x:1", 10, 0, 0, 0, 0, 0, 0, 0},
	}
	if got := built(p, f, at).Endpoints; !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	twice := sim.Endpoints{sim.SchemeMQTT: {"a:1", "b:1", "a:1"}, sim.SchemeMQTTS: {"z:1"}} // one of them is twice there
	got := built(p, f, twice).Endpoints
	if len(got) != 3 || got[0].Address != "mqtt://a:1" || got[0].Devices != 7 || got[1].Devices != 3 || got[2].Address != reports.Elsewhere {
		t.Errorf("an address that is named twice: %+v", got)
	}
	if got := built(p, f, nil).Endpoints; got != nil {
		t.Errorf("endpoints that nobody knows: %+v", got)
	}
}

// The devices of an endpoint are those that dial it, of a big fleet too.
func TestEndpointDevices(t *testing.T) {
	p, at := stage.Plan(3000, 10), stage.Brokers(3)
	want := map[string]int{}
	for i := range p.Fleets {
		for o := range p.Fleets[i].Count {
			scheme := p.Fleets[i].Data().Scheme()
			want[string(scheme)+"://"+at.Of(scheme, sim.Ordinal(o))]++
		}
	}
	loads := built(p, reports.NewFold(p), at).Endpoints
	if len(loads) != len(want) || len(want) != 4 {
		t.Fatalf("%+v", loads)
	}
	for _, l := range loads {
		if l.Devices != want[l.Address] {
			t.Errorf("%s: %d devices, want %d", l.Address, l.Devices, want[l.Address])
		}
	}
}

// TestD4_SecondConnectionsApart: a device that takes its commands by another connection counts there too, apart from
// those that connect there to report.
func TestD4_SecondConnectionsApart(t *testing.T) {
	p, at := stage.Plan(3, 10), stage.Brokers(1)
	p.Fleets[1].Bindings = append(p.Fleets[1].Bindings, sim.Binding{Role: sim.RoleControl, Channel: sim.ChannelMQTT, Version: "5", QoS: 1})
	p.Fleets[1].Skills = append(p.Fleets[1].Skills, sim.Skill{Name: sim.SkillObey, Role: sim.RoleControl, Listen: "do/{id}", Topic: "done/{id}"})
	rec := ledger.NewRecorder(p, 0, 0)
	connect := func(fleet uint16, line int, n int) {
		for o := range n {
			rec.Record(&sim.Sample{Op: sim.OpConnect, Fleet: fleet, Device: sim.Ordinal(o), Endpoint: sim.EndpointOn(line, 1), Done: time.Second, Attempts: 1})
		}
	}
	connect(0, 0, 3)
	connect(1, 0, 10)
	connect(1, 1, 7)
	for _, l := range built(p, stage.Folded(t, p, rec), at).Endpoints {
		want := [...]int{10, 0, 10, 0}
		if strings.HasPrefix(l.Address, "mqtt:") {
			want = [...]int{13, 10, 10, 7}
		}
		if got := [...]int{l.Devices, l.Second, int(l.Connects), int(l.Seconds)}; got != want {
			t.Errorf("%s: %v, want %v", l.Address, got, want)
		}
	}
}
