package rehearsal

import (
	"context"
	"fmt"
	"math"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/fleet"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// reportServer is a CoAP server that says how long reports were under way, and takes the answers' way too.
type reportServer struct {
	conn net.PacketConn
	t0   time.Time

	mu    sync.Mutex
	fleet map[uint16][]time.Duration      // of the reports that came: from when they were due
	came  map[sim.Ordinal][]time.Duration // when
}

func (c *reportServer) serve() {
	buf := make([]byte, 2048)
	for {
		n, from, err := c.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		at := time.Since(c.t0)
		confirmable := buf[0]>>4&3 == 0
		if n == 4 && confirmable { // a ping (RFC 7252 section 4.2): its answer is a reset
			_, _ = c.conn.WriteTo([]byte{0x70, 0, buf[2], buf[3]}, from)
			continue
		}
		if stamp, ok := sim.FindStamp(buf[:n]); ok {
			c.mu.Lock()
			c.fleet[stamp.Fleet] = append(c.fleet[stamp.Fleet], at-stamp.Due)
			c.came[stamp.Device] = append(c.came[stamp.Device], at)
			c.mu.Unlock()
		}
		if confirmable {
			size := buf[0] & 15
			_, _ = c.conn.WriteTo(append([]byte{0x60 | size, 0x44, buf[2], buf[3]}, buf[4:4+size]...), from)
		}
	}
}

// heard keeps what devices recorded.
type heard struct {
	mu   sync.Mutex
	acks map[uint16][]time.Duration // from the send to the acknowledgement
	sent map[uint16]int

	failed int // operations
}

func (r *heard) Record(s *sim.Sample) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.Outcome != sim.OK {
		r.failed++
	}
	if s.Op == sim.OpPublish && s.Outcome == sim.OK && !s.Unanswered {
		r.acks[s.Fleet] = append(r.acks[s.Fleet], s.Done-s.Sent)
	}
}

func (r *heard) Count(c sim.Counter, fleet, _ uint16, _ sim.Instant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c == sim.CountSent {
		r.sent[fleet]++
	}
}

func (*heard) Link(uint16, uint16, sim.Ordinal, bool, sim.Instant) {}

func least(list []time.Duration) time.Duration {
	m := time.Duration(math.MaxInt64)
	for _, d := range list {
		m = min(m, d)
	}
	return m
}

// rehearse runs the devices of a plan against a server of its own.
func rehearse(t *testing.T, p *sim.Plan) (*reportServer, *heard, *lines) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.(*net.UDPConn).SetReadBuffer(4 << 20)
	server := &reportServer{conn: conn, t0: time.Now(), fleet: map[uint16][]time.Duration{}, came: map[sim.Ordinal][]time.Duration{}}
	go server.serve()
	seen := &heard{acks: map[uint16][]time.Duration{}, sent: map[uint16]int{}}
	out := new(lines)
	run := &fleet.Solo{
		Timeline: fleet.Timeline{Plan: p, T0: server.t0, Drain: time.Second},
		Devices: fleet.Crew{
			RunID: 1, Recorder: seen, Account: ledger.New(p, 1, seen).Account, Dialer: out.dialers(p, nil),
			Endpoints: sim.Endpoints{sim.SchemeCoAP: {conn.LocalAddr().String()}},
		},
	}
	if err := run.Prepare(); err != nil {
		t.Fatal(err)
	}
	if err := run.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	out.drain()
	return server, seen, out
}

// reporting is a fleet that reports over CoAP.
func reporting(name string, devices int, every time.Duration, qos byte) sim.Fleet {
	return sim.Fleet{
		Name: name, Count: devices,
		Model:    sim.Model{Encoding: sim.EncodingJSON, Buffer: sim.Buffer{Capacity: 100}, Signals: []sim.Signal{{Name: "t", Law: sim.LawWalk, Step: 1}}},
		Bindings: []sim.Binding{{Role: sim.RoleData, Channel: sim.ChannelCoAP, QoS: qos, Retry: sim.DefaultRetry(), CoAP: sim.CoAP{AckTimeout: sim.Duration(300 * time.Millisecond)}}},
		Skills:   []sim.Skill{{Name: sim.SkillReport, Topic: "t/{id}", Every: sim.Duration(every)}},
	}
}

// While the link of some devices is cut, nothing of them comes and they are told nothing; the others go on. What
// they had to say comes when the cut is over.
func TestTheLinkOfSomeDevicesIsCut(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("127.0.0.1 is the only address of loopback")
	}
	p := &sim.Plan{Seed: 3, Fleets: []sim.Fleet{reporting("f", 20, 100*time.Millisecond, 1)}}
	some := &sim.Selection{Fleet: "f", Percent: 50}
	const from, last, length = 2 * time.Second, 1500 * time.Millisecond, 6 * time.Second
	p.Acts = []sim.Act{
		{Kind: sim.ActConnect, Select: &sim.Selection{Fleet: "f", All: true}, Curve: sim.CurveEvenly},
		{Kind: sim.ActPhaseRun, Phase: "before", Hold: sim.Duration(from)},
		{Kind: sim.ActFault, At: sim.Duration(from), Hold: sim.Duration(last), Select: some, Fault: &sim.Fault{Site: sim.SiteLink, Verb: "cut", For: sim.Duration(last)}},
		{Kind: sim.ActPhaseRun, Phase: "after", At: sim.Duration(from + last), Hold: sim.Duration(length - from - last)},
	}
	server, seen, _ := rehearse(t, p)
	server.mu.Lock()
	defer server.mu.Unlock()
	for o := range sim.Ordinal(20) {
		_, cut := some.Rank(sim.FleetKey(p.Seed, 0), o, 20)
		during, after := 0, 0
		for _, at := range server.came[o] {
			switch {
			case at > from+100*time.Millisecond && at < from+last: // what is on the loopback already comes
				during++
			case at >= from+last:
				after++
			}
		}
		if cut != (during == 0) || after == 0 {
			t.Errorf("device %d, cut %v: %d reports came during the cut, %d after it", o, cut, during, after)
		}
	}
	if seen.failed > 0 {
		t.Errorf("devices were told of %d failures", seen.failed)
	}
	if came := len(server.fleet[0]); came < seen.sent[0] {
		t.Errorf("%d of %d came", came, seen.sent[0])
	}
}

// What a story says of a fleet's link is what its devices, whole, meet there: the delay on the way up and there
// and back, and the share of packets that is lost. A fleet of which nothing is said meets nothing.
func TestLinksOfDevicesAreLikeTheStorySays(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("127.0.0.1 is the only address of loopback")
	}
	const delay, loss, length = 100 * time.Millisecond, 0.2, 5 * time.Second
	p := &sim.Plan{Seed: 3}
	for i, link := range []*sim.Conditions{{Loss: loss}, {Delay: sim.Duration(delay)}, nil} {
		devices, every := 100, 100*time.Millisecond // thousands of reports, to see a share
		if i > 0 {
			devices, every = 10, 200*time.Millisecond // few, to see the time that the link takes
		}
		f := reporting(fmt.Sprint("f", i), devices, every, byte(min(i, 1)))
		f.Link = link
		p.Fleets = append(p.Fleets, f)
		p.Acts = append(p.Acts, sim.Act{Kind: sim.ActConnect, Select: &sim.Selection{Fleet: f.Name, All: true}, Curve: sim.CurveEvenly})
	}
	p.Acts = append(p.Acts, sim.Act{Kind: sim.ActPhaseRun, Phase: "p", Hold: sim.Duration(length)})
	server, seen, out := rehearse(t, p)
	if n := len(out.under); n != 2 {
		t.Errorf("%d dialers with weather, want 2", n)
	}

	server.mu.Lock()
	defer server.mu.Unlock()
	sent, came := seen.sent[0], len(server.fleet[0])
	if share, sigma := 1-float64(came)/float64(sent), math.Sqrt(loss*(1-loss)/float64(sent)); math.Abs(share-loss) > 5*sigma || sent < 2000 {
		t.Errorf("of %d reports %.2f%% were lost, want 20%% (sigma %.2f%%)", sent, 100*share, 100*sigma)
	}
	// The fastest of hundreds: others wait for this machine too.
	if up := least(server.fleet[1]); up < delay || up > 2*delay {
		t.Errorf("a report was under way for %v, want %v", up, delay)
	}
	if both := least(seen.acks[1]); both < 2*delay || both > 3*delay {
		t.Errorf("an acknowledgement took %v, want %v", both, 2*delay)
	}
	if lost := seen.sent[1] - len(server.fleet[1]); lost > 0 {
		t.Errorf("%d were lost on a link that only delays", lost)
	}
	if up, both := least(server.fleet[2]), least(seen.acks[2]); up > delay/2 || both > delay/2 || len(server.fleet[2]) < seen.sent[2] {
		t.Errorf("without weather: %v up, %v there and back, %d of %d came", up, both, len(server.fleet[2]), seen.sent[2])
	}
}

// A fleet without weather has the sockets that it had before there was any, and asks nobody.
func TestNoWeatherCostsNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	clear := mqttFleet("a", 1, "", sim.Security{})
	clear.Link = new(sim.Conditions)
	under := mqttFleet("b", 1, "", sim.Security{})
	under.Link = &sim.Conditions{Delay: sim.Duration(time.Millisecond)}
	types := map[string]string{}
	for _, f := range []sim.Fleet{mqttFleet("none", 1, "", sim.Security{}), clear, under} {
		s := newSwitchboard(&sim.Plan{Fleets: []sim.Fleet{f}}, nil)
		d, err := s.link(f.Data(), f.Weather())
		if err != nil {
			t.Fatal(err)
		}
		conn, err := d.Dial(context.Background(), &sim.Caller{Endpoint: l.Addr().String(), T0: time.Now(), Source: netip.AddrPort{}})
		if err != nil {
			t.Fatal(err)
		}
		types[f.Name] = fmt.Sprintf("%T", conn)
		_ = conn.Close()
	}
	if types["none"] != types["a"] || types["none"] == types["b"] {
		t.Errorf("sockets: %q", types)
	}
	w := under.Weather()
	if n := testing.AllocsPerRun(100, func() { _ = w.At(7, 5) }); n > 0 {
		t.Errorf("to ask the weather allocates %v times", n)
	}
}
