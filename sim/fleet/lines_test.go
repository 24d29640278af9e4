package fleet_test

import (
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/fleet"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

// twoLines is a plan whose devices report every second on one line and send their health every two seconds on
// another, and the peers of both.
func twoLines(t *testing.T, count int, acts ...sim.Act) (r *rig, control *peer) {
	p := meters(count, s, acts...)
	f := &p.Fleets[0]
	f.Bindings[0].Channel = sim.ChannelCoAP
	f.Bindings = append(f.Bindings, sim.Binding{Role: sim.RoleControl, Channel: sim.ChannelMQTT, QoS: 1, Retry: f.Bindings[0].Retry})
	f.Skills = append(f.Skills, sim.Skill{Name: sim.SkillHealth, Role: sim.RoleControl, Topic: "h/{id}", Every: sim.Duration(2 * s)})
	r = &rig{plan: p}
	*r = *prepare(t, p)
	control = &peer{t0: r.peer.t0, rtt: 7 * time.Millisecond, lines: make(map[*line]bool)}
	r.worker.Devices = fleet.Crew{
		RunID: 1, Recorder: r.tape, Account: r.ledger.Account,
		Dialer: func(_ *sim.Fleet, role sim.Role, _ sim.Weather) (sim.Dialer, error) {
			return map[sim.Role]*peer{sim.RoleData: r.peer, sim.RoleControl: control}[role], nil
		},
	}
	if err := r.worker.Prepare(); err != nil {
		t.Fatal(err)
	}
	return r, control
}

// between counts what came to a peer.
func (p *peer) between(from, to time.Duration) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.arrivals {
		if a.at >= from && a.at < to && !a.again {
			n++
		}
	}
	return n
}

func (p *peer) called() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls
}

// The lines of a device live, break and come back apart, and all of its messages are in one book.
func TestLinesBreakApart(t *testing.T) {
	for _, tt := range []struct {
		name        string
		data        bool // the data line breaks, else the other
		links       int  // what the recorder is told of devices' connections: the data line's
		reports     int  // that came in the ten seconds without a line
		healths     int
		dataCalls   bool // more than one for each device
		controlCall bool
	}{
		{"data", true, 3 * 20, 0, 100, true, false},
		{"control", false, 1 * 20, 200, 0, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				r, control := twoLines(t, 20, connect(2*s), phase("a", 60*s))
				broken := control
				if tt.data {
					broken = r.peer
				}
				time.AfterFunc(20*s, func() { broken.set(true, false) })
				time.AfterFunc(30*s, func() { broken.set(false, false) })
				r.run(t, t.Context())
				reports, healths := r.peer.between(21*s, 30*s), control.between(21*s, 30*s)
				if (reports > 0) != (tt.reports > 0) || (healths > 0) != (tt.healths > 0) {
					t.Errorf("%d reports and %d states of health came during the outage", reports, healths)
				}
				if more := r.peer.called() > 20; more != tt.dataCalls {
					t.Errorf("%d calls of the data line", r.peer.called())
				}
				if more := control.called() > 20; more != tt.controlCall {
					t.Errorf("%d calls of the control line", control.called())
				}
				all := r.totals()
				// Each device reports in the 60 s to 62 s that it is on, and half as often tells how it is.
				if want := uint64(r.peer.between(0, time.Hour) + control.between(0, time.Hour)); all.Due != all.Acked || all.Sent != want || all.Due < 20*60*3/2 {
					t.Errorf("one book: due %d, sent %d, acknowledged %d; the peers saw %d", all.Due, all.Sent, all.Acked, want)
				}
			})
		})
	}
}

// "Settled" waits for every line, and a power loss takes all of them.
func TestEveryLineHasToSettle(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		off := sim.Act{Kind: sim.ActFault, Select: everybody(), Fault: &sim.Fault{Site: sim.SitePower, Verb: "power-loss"}}
		back := sim.Act{Kind: sim.ActComeBack, Select: everybody(), Over: sim.Duration(s), Hold: sim.Duration(s)}
		r, control := twoLines(t, 20, connect(2*s), settle(10*s), phase("a", 10*s), off, phase("dark", 5*s), back, settle(30*s), phase("z", 5*s))
		control.set(true, false)
		time.AfterFunc(20*s, func() { control.set(false, false) })
		course := r.run(t, t.Context())
		if got := course.Settled[1]; got.In < 10*s || got.Reason != `20 devices of "meters" are not connected` {
			t.Errorf("without the control line: %+v", got)
		}
		if got := course.Settled[6]; got.Reason != "" {
			t.Errorf("with both: %+v", got)
		}
		dark := course.Started[4]
		if a, b := r.peer.between(dark+s/10, dark+5*s), control.between(dark+s/10, dark+5*s); a+b > 0 {
			t.Errorf("%d and %d messages of devices without power", a, b)
		}
		if a, b := r.peer.between(dark+6*s, time.Hour), control.between(dark+6*s, time.Hour); a == 0 || b == 0 {
			t.Errorf("%d and %d messages of devices that came back", a, b)
		}
	})
}

// Samples say on which line something was done, and at which endpoint.
func TestEndpointsOfLines(t *testing.T) {
	f := sim.Fleet{
		Bindings: []sim.Binding{{Role: sim.RoleData, Channel: sim.ChannelCoAP}, {Role: sim.RoleControl, Channel: sim.ChannelMQTT, Transport: sim.TransportTLS}, {Role: sim.RoleUpdate, Channel: sim.ChannelHTTP}},
		Skills:   []sim.Skill{{Name: sim.SkillReport, Topic: "t"}, {Name: sim.SkillObey, Role: sim.RoleControl, Listen: "c", Topic: "a"}},
	}
	if got := f.Lines(); len(got) != 2 || got[1] != sim.RoleControl {
		t.Errorf("lines %q", got)
	}
	for _, tt := range []struct {
		line   int
		number uint16
		scheme sim.Scheme
	}{{0, 0, sim.SchemeCoAP}, {0, 7, sim.SchemeCoAP}, {1, 0, sim.SchemeMQTTS}, {1, 7, sim.SchemeMQTTS}, {1, 1<<14 - 1, sim.SchemeMQTTS}} {
		if scheme, n := f.Endpoint(sim.EndpointOn(tt.line, tt.number)); scheme != tt.scheme || n != tt.number {
			t.Errorf("%+v: %s %d", tt, scheme, n)
		}
	}
	if n := sim.EndpointOn(0, 1<<14); n != 0 {
		t.Errorf("an endpoint that has no number of its own is %d, want any other: 0", n)
	}
}
