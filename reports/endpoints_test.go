package reports

import (
	"slices"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// brokers are n endpoints of the meters, and one of the rooms.
func brokers(n int) sim.Endpoints {
	names := []string{"a:1", "b:1", "c:1", "d:1"}
	return sim.Endpoints{sim.SchemeMQTT: names[:n], sim.SchemeCoAP: {"x:1"}}
}

// settleDown brings meters up at an endpoint, or down there.
func (s *stage) settleDown(up bool, at sim.Instant, endpoint uint16, meters ...sim.Ordinal) {
	for _, o := range meters {
		s.rec.Link(0, endpoint, o, up, at)
	}
}

// What each endpoint carried is exact, whatever the number of workers, and a snapshot that comes twice
// counts once.
func TestEndpointLoads(t *testing.T) {
	p := samplePlan(10, 10)
	var recorders []*Recorder
	for k := range uint32(3) {
		recorders = append(recorders, NewRecorder(p, k, 0))
	}
	at := brokers(3)
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
	f := NewFold(p)
	for _, r := range append(recorders, recorders...) {
		s := r.Snapshot() // of the second time nothing is left
		for range 2 {
			if err := f.Add(&s); err != nil {
				t.Fatal(err)
			}
		}
	}
	in := &Input{Plan: p, Fold: f, Endpoints: at}
	want := []EndpointLoad{
		{"mqtt://a:1", 4, 3, 3, 3, 3, 3},
		{"mqtt://b:1", 3, 3, 3, 3, 3, 4},
		{"mqtt://c:1", 3, 3, 3, 3, 3, 3},
		{Elsewhere, 0, 1, 1, 1, 1, 1},
		{"coap://x:1", 10, 0, 0, 0, 0, 0},
	}
	if got := endpointLoads(in, f.changes(forever)); !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	in.Endpoints = sim.Endpoints{sim.SchemeMQTT: {"a:1", "b:1", "a:1"}, sim.SchemeMQTTS: {"z:1"}} // one of them is twice there
	got := endpointLoads(in, nil)
	if len(got) != 3 || got[0].Address != "mqtt://a:1" || got[0].Devices != 7 || got[1].Devices != 3 || got[2].Address != Elsewhere {
		t.Errorf("an address that is named twice: %+v", got)
	}
	in.Endpoints = nil
	if got := endpointLoads(in, nil); got != nil {
		t.Errorf("endpoints that nobody knows: %+v", got)
	}
}

func TestJudgeSpread(t *testing.T) {
	const second = time.Second
	check := func(limit float64) sim.Check {
		return sim.Check{Kind: sim.CheckSpread, Bound: sim.AtMost, Limit: limit}
	}
	for name, tt := range map[string]struct {
		check sim.Check
		of    int // brokers
		play  func(*stage)
		want  want
	}{
		"even": {check(0), 2, func(s *stage) {
			s.settleDown(true, second, 1, 0, 2, 4, 6, 8)
			s.settleDown(true, second, 2, 1, 3, 5, 7, 9)
		}, want{Passed, 0, 10, "%", "mqtt://a:1 had 5 of 10 connections, an even part is 5"}},
		"as even as ten devices can be on three": {check(0), 3, func(s *stage) {
			s.settleDown(true, second, 1, 0, 3, 6, 9)
			s.settleDown(true, second, 2, 1, 4, 7)
			s.settleDown(true, second, 3, 2, 5, 8)
		}, want{Passed, 0, 10, "%", "an even part is 3.333"}},
		"one has more": {check(0.2), 2, func(s *stage) {
			s.settleDown(true, second, 1, 0, 1, 2, 3, 4, 5)
			s.settleDown(true, second, 2, 6, 7, 8, 9)
		}, want{Passed, 20, 10, "%", "mqtt://a:1 had 6 of 10"}},
		"too much more": {check(0.199), 2, func(s *stage) {
			s.settleDown(true, second, 1, 0, 1, 2, 3, 4, 5)
			s.settleDown(true, second, 2, 6, 7, 8, 9)
		}, want{Failed, 20, 10, "%", "mqtt://a:1 had 6 of 10"}},
		"one has nothing": {check(0.5), 4, func(s *stage) {
			s.settleDown(true, second, 1, 0, 1, 2)
			s.settleDown(true, second, 2, 3, 4, 5)
			s.settleDown(true, second, 4, 6, 7, 8)
		}, want{Failed, 200. / 2.25, 9, "%", "mqtt://c:1 had 0 of 9 connections, an even part is 2.25"}},
		"at the end they were gone, and in the storm they were elsewhere": {check(0), 2, func(s *stage) {
			s.settleDown(true, second, 1, s.all()...)
			s.settleDown(false, 2*second, 1, 5, 6, 7, 8, 9)
			s.settleDown(true, 3*second, 2, 5, 6, 7, 8, 9)
			s.settleDown(false, 4*second, 2, 5, 6)
		}, want{Passed, 0, 10, "%", "mqtt://a:1 had 5 of 10"}},
		"sent to where nobody knows": {check(1), 2, func(s *stage) {
			s.settleDown(true, second, 1, 0, 1, 2)
			s.settleDown(true, second, 0, 3)
		}, want{NotJudged, 0, 0, "", "1 devices were connected to brokers that the target does not name"}},
		"one broker": {check(1), 1, func(s *stage) {
			s.settleDown(true, second, 1, 0, 1, 2)
		}, want{NotJudged, 0, 0, "", "no device was connected to one of several brokers"}},
		"nobody came": {check(1), 2, func(*stage) {}, want{NotJudged, 0, 0, "", "no device was connected"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := judged(t, tt.check, func(s *stage) {
				s.in.Endpoints = brokers(tt.of)
				tt.play(s)
			})
			tt.want.compare(t, f)
		})
	}
}

// The devices of an endpoint are those that dial it, of a big fleet too.
func TestEndpointDevices(t *testing.T) {
	p, at := samplePlan(3000, 10), brokers(3)
	want := map[string]int{}
	for i := range p.Fleets {
		for o := range p.Fleets[i].Count {
			scheme := p.Fleets[i].Data().Scheme()
			want[string(scheme)+"://"+at.Of(scheme, sim.Ordinal(o))]++
		}
	}
	loads := endpointLoads(&Input{Plan: p, Endpoints: at, Fold: NewFold(p)}, nil)
	if len(loads) != len(want) || len(want) != 4 {
		t.Fatalf("%+v", loads)
	}
	for _, l := range loads {
		if l.Devices != want[l.Address] {
			t.Errorf("%s: %d devices, want %d", l.Address, l.Devices, want[l.Address])
		}
	}
}
