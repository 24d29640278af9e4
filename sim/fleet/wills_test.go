package fleet_test

import (
	"bufio"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/peers"
	"github.com/myriad-iot/myriad/sim/ledger"
	"github.com/myriad-iot/myriad/sim/mqtt"
)

// anyone is what a Mosquitto needs for devices without a name.
const anyone = "allow_anonymous true\npersistence false\n"

// each runs a test on the embedded broker and on Mosquitto.
func each(t *testing.T, test func(t *testing.T, broker string)) {
	for name, start := range map[string]func(*testing.T) string{
		"embedded": startBroker, "mosquitto": func(t *testing.T) string { return peers.Mosquitto(t, anyone) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, start(t))
		})
	}
}

// willTotals returns the account of each fleet's wills of a run that is settled.
func willTotals(t *testing.T, p *sim.Plan, devices, far string) map[string]ledger.WillTotals {
	t.Helper()
	got := make(map[string]ledger.WillTotals)
	for _, of := range settled(t, p, devices, far).Wills {
		got[p.Fleets[of.Fleet].Name] = of.WillTotals
	}
	return got
}

// willPlan is a plan of fleets that leave a will and say nothing else, connect in the first half second and stay
// for length.
func willPlan(length time.Duration, retry map[string]time.Duration, delay time.Duration) *sim.Plan {
	p := &sim.Plan{Seed: 1}
	for name, wait := range retry {
		b := sim.Binding{Role: sim.RoleData, Channel: sim.ChannelMQTT, Retry: sim.Retry{List: []sim.Duration{sim.Duration(wait)}}}
		b.MQTT.Will = &sim.Will{Topic: "{fleet}/{id}/state", Payload: "{id} is gone", QoS: 1, Delay: sim.Duration(delay)}
		if delay > 0 {
			b.Version, b.Session = "5", sim.Duration(time.Minute)
		}
		p.Fleets = append(p.Fleets, sim.Fleet{Name: name, Count: 10, Model: sim.Model{Name: "meter", Encoding: sim.EncodingJSON}, Bindings: []sim.Binding{b}})
		p.Acts = append(p.Acts, sim.Act{Kind: sim.ActConnect, Select: &sim.Selection{Fleet: name, All: true}, Curve: sim.CurveEvenly, Over: sim.Duration(time.Second / 2)})
	}
	p.Acts = append(p.Acts, sim.Act{Kind: sim.ActPhaseRun, Phase: "all", Hold: sim.Duration(length)})
	return p
}

// Of ten devices one loses power and comes back, one disconnects, one is taken over by another client of its name, and
// the others stay to the end and say goodbye: two wills, and no other.
func TestD1_7_WillsAtRealBrokers(t *testing.T) {
	each(t, func(t *testing.T, broker string) {
		const at = sim.Duration(1500 * time.Millisecond)
		one := func(o sim.Ordinal) *sim.Selection { return &sim.Selection{Fleet: "meters", Device: &o} }
		p := willPlan(6*time.Second, map[string]time.Duration{"meters": 500 * time.Millisecond}, 0)
		p.Acts = append(p.Acts[:1],
			sim.Act{Kind: sim.ActFault, Select: one(0), At: at, Fault: &sim.Fault{Site: sim.SitePower, Verb: "power-loss", For: sim.Duration(time.Second)}},
			sim.Act{Kind: sim.ActOffline, Select: one(1), At: at},
			p.Acts[1])
		twin := &mqtt.Dialer{Binding: sim.Binding{Role: sim.RoleData, Channel: sim.ChannelMQTT}}
		time.AfterFunc(2500*time.Millisecond, func() {
			if c, _, o := twin.Dial(t.Context(), &sim.Caller{ID: "meters-2", Endpoint: broker}); o == sim.OK {
				defer c.Close(false)
				c.Wait(time.Now().Add(10 * time.Second)) // until the device takes its name back
			}
		})
		want := ledger.WillTotals{Seen: 2, Due: 2, Received: 2}
		if d := cmp.Diff(want, willTotals(t, p, broker, broker)["meters"]); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
	})
}

// A will with a delay is due if the device is away for longer, and not if it comes back before.
func TestD1_7_WillDelayAtRealBrokers(t *testing.T) {
	each(t, func(t *testing.T, broker string) {
		h := &willLiar{between: between{broker: broker}, cutAt: 2 * time.Second}
		p := willPlan(9*time.Second, map[string]time.Duration{"soon": 200 * time.Millisecond, "late": 5 * time.Second}, 2*time.Second)
		got := willTotals(t, p, h.begin(t), broker)
		want := map[string]ledger.WillTotals{"soon": {}, "late": {Seen: 10, Due: 10, Received: 10}}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
	})
}

// A broker that keeps wills back, doubles them, or publishes them after a DISCONNECT is found out, and how often.
func TestD1_7_ALiarAboutWills(t *testing.T) {
	for name, tt := range map[string]struct {
		lie  lie
		want ledger.WillTotals
	}{
		"honest":          {honest, ledger.WillTotals{Seen: 10, Due: 10, Received: 10}},
		"keeps back":      {keepsBack, ledger.WillTotals{Due: 10, Missing: 10}},
		"doubles":         {doubles, ledger.WillTotals{Seen: 20, Due: 10, Received: 10, Twice: 10}},
		"goodbyes too":    {goodbyesToo, ledger.WillTotals{Seen: 20, Due: 10, Received: 10, NotDue: 10}},
		"while they live": {tooSoon, ledger.WillTotals{Seen: 20, Due: 10, Received: 10, Early: 10}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &willLiar{between: between{broker: startBroker(t)}, cutAt: 6 * time.Second, lie: tt.lie}
			p := willPlan(10*time.Second, map[string]time.Duration{"meters": 500 * time.Millisecond}, 0)
			got := willTotals(t, p, h.begin(t), h.broker)["meters"]
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
			if h.lies.Load() != int64(map[bool]int{true: 10}[tt.lie != honest]) {
				t.Errorf("the liar lied %d times", h.lies.Load())
			}
		})
	}
}

type lie int

const (
	honest      lie = iota
	keepsBack       // says DISCONNECT for a device whose connection was cut
	doubles         // publishes a will once more
	goodbyesToo     // swallows the DISCONNECT
	tooSoon         // publishes a will while the connection is up
)

// willLiar stands between devices and a broker, cuts all connections once, and lies about wills.
type willLiar struct {
	between
	cutAt time.Duration // since begin
	lie   lie
	lies  atomic.Int64
}

func (h *willLiar) begin(t *testing.T) string {
	t.Helper()
	timer := time.AfterFunc(h.cutAt, h.hangUp)
	t.Cleanup(func() { timer.Stop() })
	return h.listen(t, h.serve)
}

func (h *willLiar) serve(device, broker net.Conn) {
	first := h.whole()
	var answers sync.WaitGroup
	answers.Go(func() { back(device, broker, func(p []byte) []byte { return p }) })
	will := h.forward(device, broker, first)
	broker.Close()
	answers.Wait()
	if will != nil {
		h.publish(will)
	}
}

// forward passes on what a device says, but for the lies about its first connection, or its last. It returns the will
// if that is to be published once more.
func (h *willLiar) forward(device, broker net.Conn, first bool) (will []byte) {
	r := bufio.NewReader(device)
	var connect []byte
	for {
		p, err := packet(r)
		switch {
		case err != nil && h.lie == keepsBack && first:
			h.lies.Add(1)
			broker.Write([]byte{0xE0, 0})
			return nil
		case err != nil && h.lie == doubles && first:
			h.lies.Add(1)
			return connect
		case err != nil:
			return nil
		case p[0]>>4 == 1:
			connect = p
			if h.lie == tooSoon && first {
				h.lies.Add(1)
				timer := time.AfterFunc(1500*time.Millisecond, func() { h.publish(p) })
				defer timer.Stop()
			}
		case p[0]>>4 == 14 && h.lie == goodbyesToo && !first:
			h.lies.Add(1)
			return nil
		}
		if _, err := broker.Write(p); err != nil {
			return nil
		}
	}
}

// publish publishes the will of a CONNECT of version 3.1.1, with QoS 0.
func (h *willLiar) publish(connect []byte) {
	c, err := net.Dial("tcp", h.broker)
	if err != nil {
		return
	}
	defer c.Close()
	i := 1
	for connect[i]&0x80 != 0 {
		i++
	}
	field := func(at int) (text []byte, next int) {
		n := int(connect[at])<<8 | int(connect[at+1])
		return connect[at+2 : at+2+n], at + 2 + n
	}
	_, at := field(i + 1 + 10) // the client id
	topic, at := field(at)
	payload, _ := field(at)
	r := bufio.NewReader(c)
	c.Write([]byte{0x10, 12, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 0, 0, 0})
	packet(r)
	p := append([]byte{0x30, byte(2 + len(topic) + len(payload)), 0, byte(len(topic))}, topic...)
	c.Write(append(p, payload...))
	c.Write([]byte{0xC0, 0, 0xE0, 0}) // PINGREQ: what it answers comes after the message
	packet(r)
}
