package ledger

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/myriad-iot/myriad/sim"
)

// The account of sessions travels like the others, and once; a fleet that does not report by MQTT has none.
func TestSessionsTravel(t *testing.T) {
	const s = time.Second
	p := leaving("5", 0)
	p.Fleets = append(p.Fleets, sim.Fleet{Name: "coap", Count: 4, Bindings: []sim.Binding{{Role: sim.RoleData, Channel: sim.ChannelCoAP}}})
	a := NewAccounts(p, 1, 2)
	if a.Session(1, 1) != nil {
		t.Error("a fleet that speaks CoAP has sessions")
	}
	one := a.Session(0, 1)
	one.Up(false)
	one.Over(sim.TakenOver, 3*s)
	one.Up(true)
	one.Over(0x8B, 5*s)
	one.Up(true)
	one.Over(sim.TakenOver, 9*s)
	var pieces []byte
	if err := a.Pack(func(b []byte) error { pieces = append(pieces, b...); return nil }); err != nil {
		t.Fatal(err)
	}
	l := New(p, 7, NewRecorder(p, 0, 0))
	l.Afar(2)
	for range 2 {
		if err := l.Merge(pieces); err != nil {
			t.Fatal(err)
		}
	}
	for n := range len(pieces) { // cut short anywhere: an error, or what is whole
		_ = New(p, 7, NewRecorder(p, 0, 0)).Merge(pieces[:n])
	}
	all := l.Close(time.Minute, s).Sessions
	if len(all) != 1 {
		t.Fatalf("%d fleets", len(all))
	}
	absent := 0
	for o := range sim.Ordinal(p.Fleets[0].Count) {
		if _, known := all[0].By(o); known != (o%2 == 1) {
			t.Errorf("device %d is known: %v", o, known)
		} else if !known {
			absent++
		}
	}
	want := Sessions{Devices: 1, Connections: 3, Present: 2, TakenOver: 2, Absent: absent,
		Ended: []Parting{{"session taken over (0x8E)", 2}, {"server shutting down (0x8B)", 1}}}
	if d := cmp.Diff(want, all[0], cmpopts.IgnoreUnexported(Sessions{})); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	got, _ := all[0].By(1)
	if n, first, last := got.Ended(sim.TakenOver); n != 2 || first != 3*s || last != 9*s || got.Connections() != 3 {
		t.Errorf("%d times, from %v to %v", n, first, last)
	}
	if n, _, _ := got.Ended(sim.Silent); n != 0 {
		t.Errorf("silent %d times", n)
	}
}

// What no device can have done is refused.
func TestDamagedSessions(t *testing.T) {
	p := leaving("5", 0)
	for name, damage := range map[string][]byte{
		"more present than connections": {1, 2, 0},
		"an end that there is not":      {1, 0, 1, 0x83, 2, 1, 0, 0},
		"an end that never was":         {1, 0, 1, 2, 0, 0, 0},
		"the last before the first":     {1, 0, 1, 2, 1, 9, 8},
		"one end twice":                 {1, 0, 2, 2, 1, 0, 0, 2, 1, 0, 0},
	} {
		piece := append([]byte{0, 0x82, 8, 0}, damage...) // fleet 0, number 1026, device 0
		l := New(p, 7, NewRecorder(p, 0, 0))
		if err := l.Merge(piece); err == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
	if err := New(p, 7, NewRecorder(p, 0, 0)).Merge([]byte{0, 0x82, 8, 0, 1, 1, 1, 2, 1, 8, 9}); err != nil {
		t.Errorf("a whole one: %v", err)
	}
}
