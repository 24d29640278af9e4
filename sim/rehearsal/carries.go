package rehearsal

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/myriad-iot/myriad/reports/render"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/burst"
	"github.com/myriad-iot/myriad/sim/host"
	"github.com/myriad-iot/myriad/sim/ledger"
)

const (
	burstFor = 300 * time.Millisecond // of connects, and then of messages

	// A story that seems too much is measured so often, with pauses, and the median counts: five moments in a row on
	// an idle machine of two cores gave 3,077 to 4,573 connects a second, and one beside a compiler 1,718.
	mostTries    = 5
	betweenTries = 300 * time.Millisecond

	// Stories that ask for less, in connects or messages a second, are not measured: nobody shall wait for it.
	fewConnects, fewMessages = 500, 2000

	// Shares of what was measured from which a story is told to be too much, and is refused. What is measured is what
	// all cores do at their busiest, and the CPU of a connect is the same in a run (300 us, with Mosquitto's, on two
	// slow cores), but the probe and the coordinator need some too. It is rough, for machines are busier at one time
	// than at another.
	toldAt, refusedAt = 0.7, 1

	pacedAt = 0.6 // what a paced run asks for
)

// carries measures what this machine carries at its own target. It returns a [sim.TooMuch] if the story asks for so
// much more that its figures would be worthless, or, where the run may be paced, the plan that is as much slower as it
// has to be; nil is the plan itself. A little too much is only told. Workers or targets elsewhere are not measured:
// what they carry is not known here.
func (r *director) carries(ctx context.Context, p *sim.Plan, at sim.Endpoints) (slower *sim.Plan, err error) {
	if r.Pace && (r.Staff.Expect > 0 || !here(at)) {
		r.Display.say("warning: --pace: what workers or targets elsewhere carry is not known here: this run is not paced")
	}
	demands := burst.Demands(p)
	known := make([]burst.Rates, len(p.Fleets))
	for i := range known {
		known[i] = burst.Rates{Connects: fewConnects, Messages: fewMessages}
	}
	if r.Overload == OverloadIgnore || r.Staff.Expect > 0 || !here(at) || burst.Asked(demands, known).Share < 1 {
		return nil, nil
	}
	tries := [][]burst.Rates{r.measure(ctx, p, at)}
	known = tries[0]
	if burst.Asked(demands, known).Share >= toldAt { // nobody is refused because of one bad moment
		for len(tries) < mostTries && ctx.Err() == nil {
			time.Sleep(betweenTries)
			tries = append(tries, r.measure(ctx, p, at))
		}
		known = burst.Median(tries)
	}
	peak := burst.Asked(demands, known)
	if peak.Share < toldAt {
		return nil, nil
	}
	slower, by, fits := burst.Fit(p, known, pacedAt)
	fits = fits && slower.Duration().D() <= ledger.LongestRun && p.Search == nil // which looks for what is too much
	measured := fmt.Sprintf("the most that this machine does at its own target (measured for moments, %s a second)", said(p, known))
	if fits && r.Pace {
		by.Why = "this run was paced: " + paced(demands, burst.Demands(slower)) + ", which is " + percent(pacedAt) + " of " + measured
		slower.Paced = &by
		return slower, nil
	}
	why := fmt.Sprintf("%s a second at %s are %s of %s", asked(peak), clockOf(peak.At), percent(peak.Share), measured)
	if peak.Share > refusedAt && r.Overload == OverloadRefuse && p.Search == nil {
		remedy := "slow the story down, use more machines"
		if fits {
			remedy = "run it with --pace (" + paced(demands, burst.Demands(slower)) + "), " + remedy
		}
		return nil, &sim.TooMuch{Why: why + ": " + remedy + ", or try it all the same with --overload warn"}
	}
	r.Display.say("warning: " + why + ": the verdict may be invalid")
	return nil, nil
}

// measure measures each fleet; those that speak alike carry the same.
func (r *director) measure(ctx context.Context, p *sim.Plan, at sim.Endpoints) []burst.Rates {
	list, alike := make([]burst.Rates, len(p.Fleets)), make(map[string]burst.Rates)
	for i := range p.Fleets {
		f := &p.Fleets[i]
		d := f.Data()
		speech := fmt.Sprintf("%s %s %d", d.Speech(), d.Client, d.QoS)
		rates, measured := alike[speech]
		if !measured {
			rates = r.carriesOf(ctx, p, i, at)
			alike[speech] = rates
		}
		list[i] = rates
	}
	return list
}

// paced says what the story asks for, and what a slower plan asks for instead.
func paced(story, slower [][]burst.Demand) string {
	connects, messages := burst.Most(story)
	fewer, less := burst.Most(slower)
	var list []string
	add := func(what string, asked, is float64) {
		if is < asked*0.99 {
			list = append(list, fmt.Sprintf("for up to %s %s a second (in any %v) and gets %s", render.Count(int(asked)), what, burst.Window, render.Count(int(is))))
		}
	}
	add("connects", connects, fewer)
	add("messages", messages, less)
	return "the story asks " + strings.Join(list, ", ")
}

func percent(share float64) string { return fmt.Sprintf("%.0f%%", share*100) }

// carriesOf measures one fleet; what could not be measured stays 0.
func (r *director) carriesOf(ctx context.Context, p *sim.Plan, fleet int, at sim.Endpoints) burst.Rates {
	f := p.Fleets[fleet] // a copy: what stays behind at the target is left out
	f.Bindings = append([]sim.Binding(nil), f.Bindings...)
	run := rand.Uint32()
	for i := range f.Bindings {
		b := &f.Bindings[i]
		b.NameRun(run)
		b.Session, b.MQTT.Will, b.MQTT.Subscribe, b.CoAP.Observe = 0, nil, nil, nil
	}
	d := f.Data()
	dialer, err := newSwitchboard(p, r.Staff.Sources).dialer(&f, sim.RoleData, nil) // the machine is measured, not links
	if err != nil {
		return burst.Rates{}
	}
	b := burst.Burst{
		Dialer: dialer, Fleet: uint16(fleet), Devices: f.Count, QoS: d.QoS, For: burstFor, Payload: make([]byte, 100),
		Topic: "myriad/burst", Source: netip.AddrPortFrom(netip.IPv4Unspecified(), 0),
		Endpoint: func(o sim.Ordinal) string { return at.Of(d.Scheme(), o) },
	}
	root, cores := os.DirFS("/"), runtime.NumCPU()
	rates, err := b.Measure(ctx, func() (used, all time.Duration) { return host.Busy(root) })
	if err != nil && r.Log != nil {
		r.Log.Debug("what this machine carries could not be measured", "fleet", f.Name, "err", err)
	}
	mine := host.Read(root, cores).CPUs
	_, workers := r.Staff.plan(p)
	return rates.Whole(mine/float64(cores)).Apart(workers, mine)
}

// here reports whether all of a target is on this machine.
func here(at sim.Endpoints) bool {
	for _, address := range at.Addresses() {
		name, _, err := net.SplitHostPort(address)
		ip, bad := netip.ParseAddr(name)
		if err != nil || name != "localhost" && (bad != nil || !ip.IsLoopback()) {
			return false
		}
	}
	return len(at) > 0
}

// asked tells what is asked for.
func asked(p burst.Peak) string {
	connects, messages := render.Count(int(p.Connects))+" connects", render.Count(int(p.Messages))+" messages"
	switch {
	case p.Connects < 1:
		return messages
	case p.Messages < 1:
		return connects
	}
	return connects + " and " + messages
}

// said tells the rates of fleets that were measured.
func said(p *sim.Plan, known []burst.Rates) (text string) {
	for i, k := range known {
		if i > 0 && k == known[i-1] {
			continue
		}
		if text != "" {
			text += "; "
		}
		text += fmt.Sprintf("fleet %q: %s connects or %s messages", p.Fleets[i].Name, render.Count(int(k.Connects)), render.Count(int(k.Messages)))
	}
	return text
}

func clockOf(d time.Duration) string {
	return fmt.Sprintf("%d:%02d", int(d/time.Minute), int(d/time.Second)%60)
}
