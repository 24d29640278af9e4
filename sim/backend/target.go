package backend

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	mochi "github.com/mochi-mqtt/server/v2"

	"github.com/myriad-iot/myriad/sim"
)

// The services that a Target can have.
const (
	ServiceBroker = "broker"
	ServiceCoAP   = "coap"
)

// Target is the embedded target. It implements sim.Target, sim.Breakable and sim.Journaled. Set the
// fields first and do not change them; its methods may be called from any goroutine.
type Target struct {
	// Command starts a child, which must call ChildMain with the arguments that are appended to it:
	// the path of this very binary and its hidden command, as a rule.
	Command []string
	Brokers int  // broker processes; devices are spread over them; 0: no broker
	CoAP    bool // whether there is a CoAP server
	// Schemes are served beside plain MQTT and CoAP, which are always there: mqtts, ws, wss, coaps,
	// coap+tcp, coaps+tcp.
	Schemes  []sim.Scheme
	Identity Identity     // of the secured ones
	Log      *slog.Logger // nil: nothing is logged

	mu       sync.Mutex
	witness  sim.Witness
	clock    sim.Clock
	services []*service // empty until Start and after Stop
}

// Journal makes the target report every stamped message that its services accept, in the order in
// which a service accepted them. It must be called before Start.
//
// A sighting's instant is the service's wall clock when it had the message and was about to
// acknowledge it. Carrying it over to c is exact to about a microsecond, as long as nobody sets the
// wall clock between the record and its reading (5 ms; more when this process is starved of CPU); a
// step in that time shows in full. Sightings come up to 5 ms late, and all of those of a service
// that was brought down have come when Down returns.
func (t *Target) Journal(w sim.Witness, c sim.Clock) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.witness, t.clock = w, c
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
	if t.Brokers > 0 {
		services = append(services, t.service(ServiceBroker, sim.SchemeMQTT, t.Brokers))
	}
	if t.CoAP {
		services = append(services, t.service(ServiceCoAP, sim.SchemeCoAP, 1))
	}
	for i, s := range services {
		if err := s.Up(ctx); err != nil {
			for _, started := range services[:i] {
				started.stop()
			}
			return nil, err
		}
	}
	t.services = services
	return t.endpoints(), nil
}

func (t *Target) service(name string, plain sim.Scheme, processes int) *service {
	log := t.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &service{
		name: name, schemes: []sim.Scheme{plain}, log: log.With("service", name),
		command: t.Command, witness: t.witness, clock: t.clock,
	}
	for _, scheme := range t.Schemes {
		if scheme.Channel() != plain.Channel() || slices.Contains(s.schemes, scheme) {
			continue
		}
		s.schemes = append(s.schemes, scheme)
		if scheme.Transport().Secured() {
			s.identity, _ = json.Marshal(t.Identity) // numbers and strings only
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
	t.services = nil
	return nil
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
		d["broker"] = "mochi " + mochi.Version
		d["broker_processes"] = fmt.Sprint(t.Brokers)
	}
	if t.CoAP {
		d["coap"] = "go-coap " + moduleVersion("github.com/plgd-dev/go-coap/v3")
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

// moduleVersion is the version of a module in this binary, "unknown" if it was built without.
func moduleVersion(path string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		if i := slices.IndexFunc(info.Deps, func(m *debug.Module) bool { return m.Path == path }); i >= 0 {
			return info.Deps[i].Version
		}
	}
	return "unknown"
}
