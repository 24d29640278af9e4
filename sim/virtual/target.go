package virtual

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/backend"
	"github.com/myriad-iot/myriad/sim/journal"
)

// Where the services are. That of CoAP is an address for documentation (RFC 5737), and no name: a request to a name says
// the name, in each message.
const (
	brokerAt = address("broker.virtual:1883")
	coapAt   = address("192.0.2.1:5683")
)

var errDown = errors.New("it is down")

// Target has a service "broker", "coap", or both, and nothing that is not in memory. It implements sim.Target, sim.Breakable and
// sim.Journaled. It must not be copied once Start was called.
type Target struct {
	MQTT, CoAP bool          // which services there are
	Log        *slog.Logger  // nil: nothing is logged
	Later      time.Duration // than due the deadlines of Dial's callers pass, see Connect: after those of all devices

	once    sync.Once
	host    *host // of the broker
	port    *port // of the CoAP server
	list    []*process
	records io.Writer // nil: nothing is recorded
}

func (t *Target) prepare() {
	t.once.Do(func() {
		t.host, t.port = newHost(brokerAt), newPort(coapAt, t.Later)
		if t.MQTT {
			t.list = append(t.list, &process{name: "broker", at: t.host, open: func() func(context.Context) error {
				return backend.NewBrokerAt(t.host.listen(), t.records, t.Log).Run
			}})
		}
		if t.CoAP {
			t.list = append(t.list, &process{name: "coap", at: t.port, open: func() func(context.Context) error {
				return backend.NewCoAPServerAt(t.port.listen(), t.records, t.Log).Run
			}})
		}
	})
}

// Connect connects a device to the target's network, for [link.Dialer.SetNetwork]: over a stream to its broker, and by datagrams
// to its CoAP server. Its deadlines pass later than they say: in virtual time many are at the same instant, and in which
// order the runtime tells of those is chance. Who asks for different delays decides it.
func (t *Target) Connect(host string, later time.Duration) (net.Conn, error) {
	t.prepare()
	switch {
	case host == string(brokerAt) && t.MQTT:
		return t.host.dial("device.virtual", later)
	case host == string(coapAt) && t.CoAP:
		return t.port.socket(later), nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

// Dial is Connect for callers without a link.
func (t *Target) Dial(_ context.Context, c *sim.Caller) (net.Conn, error) {
	return t.Connect(c.Endpoint, t.Later)
}

// Journal implements sim.Journaled.
func (t *Target) Journal(w sim.Witness, c sim.Clock) { t.records = journal.Direct(w, c, true) }

// Start implements sim.Target.
func (t *Target) Start(ctx context.Context) (sim.Endpoints, error) {
	t.prepare()
	at := make(sim.Endpoints)
	if t.MQTT {
		at[sim.SchemeMQTT] = []string{string(brokerAt)}
	}
	if t.CoAP {
		at[sim.SchemeCoAP] = []string{string(coapAt)}
	}
	for _, p := range t.list {
		if err := p.Up(ctx); err != nil {
			return nil, err
		}
	}
	return at, nil
}

// Stop implements sim.Target. The error is that of services that ended by themselves.
func (t *Target) Stop(ctx context.Context) error {
	var all error
	for _, p := range t.list {
		err := p.Down(ctx, true)
		all = errors.Join(all, err, p.err)
	}
	return all
}

// Describe implements sim.Target.
func (t *Target) Describe() map[string]string {
	d := map[string]string{"kind": string(sim.TargetVirtual), "network": "in memory", "clock": "virtual, from 2000-01-01"}
	if t.MQTT {
		d["broker"] = backend.BrokerVersion()
	}
	if t.CoAP {
		d["coap"] = backend.CoAPVersion()
	}
	return d
}

// Handle implements sim.Breakable.
func (t *Target) Handle(name string) (sim.Handle, error) {
	t.prepare()
	var names []string
	for _, p := range t.list {
		if p.name == name {
			return p, nil
		}
		names = append(names, p.name)
	}
	return nil, fmt.Errorf("no service %q: the target has %s", name, strings.Join(names, " and "))
}
