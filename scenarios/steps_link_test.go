package scenarios

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/device"
)

// The sentence about a fleet's link is its weather, and that of no other fleet; nonsense is refused with its line.
func TestLinks(t *testing.T) {
	const head = `
		Given a fleet "rooms" of 10 "sensor" devices
		And a fleet "lights" of 10 "sensor" devices
		And fleet "rooms" sees `
	const tail = `
		When fleet "rooms" connects evenly over 10s
		And phase "p" runs for 10s
		Then no message is lost`
	s := plan(t, head+"80ms latency and 2% packet loss"+tail, Options{})
	w := s.Plan.Fleets[0].Weather()
	if w == nil || s.Plan.Fleets[1].Link != nil || s.Plan.Fleets[1].Weather() != nil {
		t.Fatalf("links %+v and %+v", s.Plan.Fleets[0].Link, s.Plan.Fleets[1].Link)
	}
	if got, want := w.At(7, time.Hour), (sim.Conditions{Delay: sim.Duration(80 * time.Millisecond), Loss: 0.02}); got != want {
		t.Errorf("it is %+v, want %+v", got, want)
	}
	eachRefused(t, head, tail, map[string]string{
		"0s latency and 0% packet loss":                                                         "what every fleet has",
		"6s latency and 0% packet loss":                                                         "at most 5s",
		"1s latency, 1100ms jitter and 0% packet loss":                                          "at most as much jitter as latency",
		"0s latency, 0s jitter and 0% packet loss":                                              "what every fleet has",
		"1s latency and 95% packet loss":                                                        "at most 90%",
		"1s latency and 1% packet loss\nAnd fleet \"rooms\" sees 2s latency and 1% packet loss": "described twice",
		"1s latency and 1% packet loss\nAnd fleet \"rooms\" speaks CoAP\nAnd fleet \"rooms\" runs on the \"go-coap\" client": "reads its socket itself",
	})
}

// Jitter is of a fleet's link, and of some devices' for a time: there it comes on top.
func TestJitter(t *testing.T) {
	s := plan(t, `
		Given a fleet "rooms" of 10 "sensor" devices
		And fleet "rooms" sees 80ms latency, 30ms jitter and 2% packet loss
		When fleet "rooms" connects evenly over 10s
		And all devices of "rooms" see 300ms latency, 200ms jitter and 0% packet loss for 20s
		And phase "p" runs for 10s
		Then no message is lost`, Options{})
	ms := sim.Duration(time.Millisecond)
	if got, want := *s.Plan.Fleets[0].Link, (sim.Conditions{Delay: 80 * ms, Jitter: 30 * ms, Loss: 0.02}); got != want {
		t.Errorf("the link is %+v, want %+v", got, want)
	}
	p := device.NewProgram()
	w := p.Weather(&s.Plan, 0, nil)
	p.Add(&s.Plan.Acts[1], 30*time.Second)
	if c := w.At(3, 31*time.Second); c.Delay != 380*ms || c.Jitter != 230*ms || math.Abs(c.Loss-0.02) > 1e-9 {
		t.Errorf("it is %+v", c)
	}
	if c := w.At(3, 50*time.Second); c.Jitter != 30*ms {
		t.Errorf("afterwards: %+v", c)
	}
}

// A NAT is of its fleet only, and the report is told of what it forgets.
func TestNAT(t *testing.T) {
	const head = `
		Given a fleet "rooms" of 10 "sensor" devices
		And a fleet "lights" of 10 "sensor" devices
		And fleet "rooms" is behind a NAT that forgets after `
	const tail = `
		When fleet "rooms" connects evenly over 10s
		And phase "p" runs for 10s
		Then no message is lost`
	for sentence, want := range map[string]sim.NAT{
		"2m":                          {Forgets: sim.Duration(2 * time.Minute)},
		"2m and answers with a reset": {Forgets: sim.Duration(2 * time.Minute), Resets: true},
	} {
		s := plan(t, head+sentence+tail, Options{})
		if f := s.Plan.Fleets; f[0].NAT == nil || *f[0].NAT != want || f[1].NAT != nil {
			t.Errorf("%s: NATs %+v and %+v", sentence, f[0].NAT, f[1].NAT)
		}
		w, ok := device.NewProgram().Weather(&s.Plan, 0, nil).(sim.Translated)
		if !ok || *w.Through() != want || w.At(0, 0) != (sim.Conditions{}) {
			t.Errorf("%s: the weather is %+v", sentence, w)
		}
	}
	eachRefused(t, head, tail, map[string]string{
		"900ms": "at least 1s",
		"1m\nAnd fleet \"rooms\" is behind a NAT that forgets after 2m":                           "two NATs",
		"1m\nAnd fleet \"rooms\" speaks CoAP\nAnd fleet \"rooms\" runs on the \"go-coap\" client": "reads its socket itself",
		"1m and answers with a reset\nAnd fleet \"rooms\" speaks CoAP":                            "know no reset",
	})
}

// The same of some devices for a time is a fault with its figures, and comes on top of the fleet's own link.
func TestPoorLinks(t *testing.T) {
	s := plan(t, `
		Given a fleet "rooms" of 10 "sensor" devices
		And fleet "rooms" sees 80ms latency and 50% packet loss
		When fleet "rooms" connects evenly over 10s
		And 3 devices of "rooms" see 300ms latency and 10% packet loss for 20s
		And phase "p" runs for 10s
		Then no message is lost`, Options{})
	a := &s.Plan.Acts[1]
	if a.Hold != a.Fault.For || a.Fault.For.D() != 20*time.Second || a.Select.Count != 3 || a.Fault.Site != sim.SiteLink {
		t.Errorf("the act is %+v, the fault %+v", a, a.Fault)
	}
	p := device.NewProgram()
	w := p.Weather(&s.Plan, 0, nil)
	p.Add(a, 30*time.Second)
	poor, others := 0, 0
	for o := range sim.Ordinal(10) {
		switch c := w.At(o, 40*time.Second); {
		case c.Delay.D() == 380*time.Millisecond && math.Abs(c.Loss-0.55) < 1e-9:
			poor++
		case c.Delay.D() == 80*time.Millisecond && c.Loss == 0.5:
			others++
		}
	}
	if poor != 3 || others != 7 {
		t.Errorf("%d devices have a poor link and %d their fleet's", poor, others)
	}
	if c := w.At(0, 50*time.Second); c.Delay.D() != 80*time.Millisecond || c.Until != 0 {
		t.Errorf("afterwards: %+v", c)
	}
}

// Resets are of TCP's connections only.
func TestResets(t *testing.T) {
	const head = `
		Given a fleet "rooms" of 10 "sensor" devices
		`
	const tail = `When fleet "rooms" connects evenly over 10s
		And 3 devices of "rooms" are reset by the network
		And device "rooms-1" is reset by the network
		And phase "p" runs for 10s
		Then no message is lost`
	s := plan(t, head+`And fleet "rooms" speaks CoAP over TCP
		`+tail, Options{})
	for _, a := range s.Plan.Acts[1:3] {
		if a.Fault == nil || a.Fault.Verb != "reset" || a.Fault.Site != sim.SiteLink || a.Hold != 0 {
			t.Errorf("the act is %+v", a)
		}
	}
	if said := refused(t, head+`And fleet "rooms" speaks CoAP over DTLS
		`+tail); !strings.Contains(said, "know no reset") {
		t.Errorf("it says %q", said)
	}
}

// Datagrams come twice for a time, on top of what the link is like.
func TestTwice(t *testing.T) {
	const head = `
		Given a fleet "rooms" of 10 "sensor" devices
		And fleet "rooms" speaks CoAP over DTLS
		When fleet "rooms" connects evenly over 10s
		And all devices of "rooms" get `
	const tail = ` of their datagrams twice for 20s
		And phase "p" runs for 10s
		Then no message is lost`
	s := plan(t, head+"25%"+tail, Options{})
	p := device.NewProgram()
	w := p.Weather(&s.Plan, 0, nil)
	p.Add(&s.Plan.Acts[1], 30*time.Second)
	if c := w.At(3, 31*time.Second); c.Twice != 0.25 || c.Loss != 0 || c.Delay != 0 {
		t.Errorf("it is %+v", c)
	}
	if c := w.At(3, 50*time.Second); !c.Clear() {
		t.Errorf("afterwards: %+v", c)
	}
	if said := refused(t, head+"0%"+tail); !strings.Contains(said, "leave it out") {
		t.Errorf("it says %q", said)
	}
}

// Rates are of each direction, beside what else is said of the link, and of some devices for a time.
func TestRates(t *testing.T) {
	s := plan(t, `
		Given a fleet "rooms" of 10 "sensor" devices
		And a fleet "lights" of 10 "sensor" devices
		And fleet "rooms" sees 80ms latency and 0% packet loss
		And fleet "rooms" sends at most 4 kB and receives at most 16 kB a second
		And fleet "lights" sends at most 4 kB and receives at most 4 kB a second
		When fleet "rooms" connects evenly over 10s
		And all devices of "rooms" send at most 8 kB and receive at most 1 kB a second for 20s
		And phase "p" runs for 10s
		Then no message is lost`, Options{})
	delay := sim.Duration(80 * time.Millisecond)
	if got, want := *s.Plan.Fleets[0].Link, (sim.Conditions{Delay: delay, Rate: 4000, Down: 16_000}); got != want {
		t.Errorf("the link is %+v, want %+v", got, want)
	}
	if got, want := *s.Plan.Fleets[1].Link, (sim.Conditions{Rate: 4000}); got != want {
		t.Errorf("the other link is %+v, want %+v", got, want)
	}
	p := device.NewProgram()
	w := p.Weather(&s.Plan, 0, nil)
	p.Add(&s.Plan.Acts[1], 30*time.Second)
	if c := w.At(3, 31*time.Second); c.Delay != delay || c.Rate != 4000 || c.Down != 1000 {
		t.Errorf("it is %+v", c)
	}
}

// eachRefused tries sentences between a head and a tail; each is a mistake, of which is said what stands beside it.
func eachRefused(t *testing.T, head, tail string, sentences map[string]string) {
	t.Helper()
	for sentence, want := range sentences {
		if said := refused(t, head+sentence+tail); !strings.Contains(said, want) || !strings.Contains(said, "x.feature:") {
			t.Errorf("%s: it says %q, want %q", sentence, said, want)
		}
	}
}
