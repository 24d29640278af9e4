package backend

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/child"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// Target is the embedded target. It implements sim.Target, sim.Breakable and sim.Journaled. Set the
// fields first and do not change them; its methods may be called from any goroutine.
type Target struct {
	// Command starts a child, which must call ChildMain: the path of this very binary and its hidden command, as
	// a rule.
	Command []string
	Pool    *child.Pool // starts the children; nil: none is started ahead
	Brokers int         // broker processes; devices are spread over them; 0: no broker
	CoAP    bool        // whether there is a CoAP server
	// Schemes are served beside plain MQTT and CoAP, which are always there: mqtts, ws, wss, coaps,
	// coap+tcp, coaps+tcp.
	Schemes  []sim.Scheme
	Identity Identity     // of the secured ones
	Log      *slog.Logger // nil: nothing is logged

	mu       sync.Mutex
	witness  sim.Witness
	clock    sim.Clock
	stalled  func(ledger.Stall)
	services []*service // empty until Start and after Stop
	ended    []*service // those that Stop stopped last
}

// Journal makes the target report every stamped message that its services accept, in the order in
// which a service accepted them. It must be called before Start.
//
// The instant of a sighting is the service's wall clock after it had received the message and before it
// acknowledged it. Its conversion to c is exact to about a microsecond, unless somebody sets the wall clock
// between the record and its reading (5 ms; more when this process gets too little CPU): then the instant is
// wrong by that step. Sightings come up to 5 ms late. When Down returns, all sightings of the service that
// it stopped have come.
func (t *Target) Journal(w sim.Witness, c sim.Clock) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.witness, t.clock = w, c
}

// Stalls makes the target tell when one of its processes did not run for a while, and the story had not frozen it:
// something else stopped it, or it got no CPU. It is Myriad's own, so that is not a failure of anybody. told is called
// from goroutines of the target. Stalls must be called before Start, and tells nothing without Journal, whose clock
// the instants are of; they are exact to 50 ms.
func (t *Target) Stalls(told func(ledger.Stall)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stalled = told
}

// Start starts the services and returns when all of them are ready. It listens on 127.0.0.1, on
// ports of its own choice that stay the same until Stop. The error is a *sim.NotHealthy, and nothing
// runs then.
func (t *Target) Start(ctx context.Context) (sim.Endpoints, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.services) > 0 {
		return nil, errors.New("start: the target runs already")
	}
	if len(t.Command) == 0 {
		return nil, errors.New("start: the target has no command")
	}
	if t.Brokers < 1 && !t.CoAP {
		return nil, errors.New("start: the target has no service")
	}
	for _, scheme := range t.Schemes {
		if new(Options).field(scheme) == nil {
			return nil, fmt.Errorf("start: the embedded target does not serve %q", scheme)
		}
	}
	var services []*service
	for _, s := range sim.EmbeddedServices() {
		if n := t.processes(s.Role); n > 0 {
			services = append(services, t.service(&s, n))
		}
	}
	for i, s := range services {
		if err := s.Up(ctx); err != nil {
			for _, started := range services[:i] {
				started.stop()
			}
			return nil, err
		}
	}
	t.services, t.ended = services, nil
	return t.endpoints(), nil
}

// processes is how many processes a service of the role has; 0 is none.
func (t *Target) processes(role sim.ServiceRole) int {
	switch {
	case role == sim.ServiceBroker:
		return t.Brokers
	case role == sim.ServiceCoAP && t.CoAP:
		return 1
	}
	return 0
}

func (t *Target) service(what *sim.Service, processes int) *service {
	log := t.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &service{
		name: what.Name, schemes: what.Schemes[:1:1], log: log.With("service", what.Name),
		command: t.Command, pool: t.Pool, witness: t.witness, clock: t.clock,
	}
	s.held = held{Witness: t.witness, clock: t.clock, of: ledger.PartEmbedded(what.Name), told: t.stalled}
	for _, scheme := range t.Schemes {
		if !what.Serves(scheme) || slices.Contains(s.schemes, scheme) {
			continue
		}
		s.schemes = append(s.schemes, scheme)
		if scheme.Transport().Secured() {
			s.identity = t.Identity
		}
	}
	for range processes {
		s.members = append(s.members, &member{at: slices.Repeat([]string{"127.0.0.1:0"}, len(s.schemes))})
	}
	return s
}

// Stop kills the children and reaps them, in whatever state they are; handles fail from then on. It
// returns nil, also when nothing runs. Start may follow.
func (t *Target) Stop(context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.services {
		s.stop()
	}
	t.ended, t.services = t.services, nil
	return nil
}

// Fell says which processes of the target ended although neither the story nor Stop ended them, and how, and which
// stood still when Stop was called although the story had not frozen them (on Linux). They are Myriad's own: what a run shows after that says nothing of anybody else. It may be asked until Start is called again.
func (t *Target) Fell() (list []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range slices.Concat(t.services, t.ended) {
		s.fallen.Lock()
		list = append(list, s.falls...)
		s.fallen.Unlock()
	}
	return list
}

// Handle returns the handle of "broker", which is all broker processes, or of "coap". What the
// handles do:
//
//	Down    ends the service; killed or stopped in an orderly way, a frozen one too. Nothing happens
//	        if it is down. An orderly stop that takes too long becomes a kill and an error.
//	Up      starts it at its old address, also after a crash, and returns when it answers. Nothing
//	        happens if it is up. It is an error if it is frozen.
//	Freeze  stops it with SIGSTOP or continues it with SIGCONT; again is allowed. Freezing what is
//	        down is an error, thawing it is not.
func (t *Target) Handle(name string) (sim.Handle, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var names []string
	for _, s := range t.services {
		if s.name == name {
			return s, nil
		}
		names = append(names, s.name)
	}
	if names == nil {
		return nil, fmt.Errorf("no service %q: the target is not running", name)
	}
	return nil, fmt.Errorf("no service %q: the target has %s", name, strings.Join(names, " and "))
}

// Describe says what the target is made of.
func (t *Target) Describe() map[string]string {
	t.mu.Lock()
	defer t.mu.Unlock()
	d := map[string]string{"kind": string(sim.TargetEmbedded)}
	if t.Brokers > 0 {
		d["broker"] = BrokerVersion()
		d["broker_processes"] = fmt.Sprint(t.Brokers)
	}
	if t.CoAP {
		d["coap"] = CoAPVersion()
	}
	for scheme, list := range t.endpoints() {
		d[string(scheme)+"_address"] = strings.Join(list, " ")
	}
	return d
}

func (t *Target) endpoints() sim.Endpoints {
	at := make(sim.Endpoints)
	for _, s := range t.services {
		at = at.Add(s.endpoints())
	}
	return at
}

// CoAPVersion names the CoAP server's library and its version, for reports.
func CoAPVersion() string { return "go-coap " + moduleVersion("github.com/plgd-dev/go-coap/v3") }

// moduleVersion is the version of a module in this binary, "unknown" if it was built without.
func moduleVersion(path string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		if i := slices.IndexFunc(info.Deps, func(m *debug.Module) bool { return m.Path == path }); i >= 0 {
			return info.Deps[i].Version
		}
	}
	return "unknown"
}
