package backend

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"sync"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/child"
	"github.com/myriad-iot/myriad/sim/identity"
	"github.com/myriad-iot/myriad/sim/journal"
)

// Options say which services to run: for each scheme the address to serve, "host:port". Port 0 chooses a
// free port; an empty address means that the scheme is not served. All MQTT schemes belong to one broker.
type Options struct {
	MQTT  string
	MQTTS string
	WS    string
	WSS   string
	CoAP  string

	CoAPS    string
	CoAPTCP  string
	CoAPSTCP string

	Identity Identity     // of the schemes with TLS or DTLS: which CA, and whether clients need a certificate
	Log      *slog.Logger // nil: nothing is logged
}

// address is where a scheme is to be served.
func (o *Options) address(s sim.Scheme) string {
	if at := o.field(s); at != nil {
		return *at
	}
	return ""
}

// field is the address of a scheme, nil if it is not served here.
func (o *Options) field(s sim.Scheme) *string {
	switch s {
	case sim.SchemeMQTT:
		return &o.MQTT
	case sim.SchemeMQTTS:
		return &o.MQTTS
	case sim.SchemeWS:
		return &o.WS
	case sim.SchemeWSS:
		return &o.WSS
	case sim.SchemeCoAP:
		return &o.CoAP
	case sim.SchemeCoAPS:
		return &o.CoAPS
	case sim.SchemeCoAPTCP:
		return &o.CoAPTCP
	case sim.SchemeCoAPSTCP:
		return &o.CoAPSTCP
	}
	return nil
}

// mqtt reports whether there is a broker.
func (o *Options) mqtt() bool { return o.MQTT+o.MQTTS+o.WS+o.WSS != "" }

// coap reports whether there is a CoAP server.
func (o *Options) coap() bool { return o.CoAP+o.CoAPS+o.CoAPTCP+o.CoAPSTCP != "" }

// Identity says how services with TLS or DTLS authenticate: with certificates of the run's own CA, which the
// devices of the run trust.
type Identity struct {
	Seed   uint64   `json:"seed"`             // of the run's authority
	Hosts  []string `json:"hosts,omitempty"`  // names and addresses of the services, beside loopback's
	Mutual bool     `json:"mutual,omitempty"` // clients must show a certificate of the authority; else they may
}

// config is the servers' side of TLS.
func (i *Identity) config() (*tls.Config, error) {
	authority := &identity.Authority{Seed: i.Seed}
	certificate, err := authority.Server(i.Hosts...)
	if err != nil {
		return nil, err
	}
	roots, err := authority.Pool()
	if err != nil {
		return nil, err
	}
	c := &tls.Config{
		Certificates: []tls.Certificate{*certificate}, MinVersion: tls.VersionTLS12,
		ClientCAs: roots, ClientAuth: tls.VerifyClientCertIfGiven,
	}
	if i.Mutual {
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return c, nil
}

// mqttServer is what the rest of this package needs of an MQTT broker that runs in this process: all that another
// library would have to give. Before it acknowledges a stamped message it writes it to the journal that it was made
// with; see the package comment for what is known of the library that it is made of now.
type mqttServer interface {
	endpoints() sim.Endpoints // it listens there from the beginning
	Run(ctx context.Context) error
}

// Serve runs the services in this process until ctx ends. ready, unless nil, is called once, when
// all of them listen. A stamped message is written to records (see the package comment) before it
// is acknowledged, and when this process did not run for a while, that is written too; nil means that nothing is
// recorded. When one service fails, the others end and Serve
// returns the error. Serve blocks until all goroutines that it started have ended.
func Serve(ctx context.Context, o Options, records io.Writer, ready func(sim.Endpoints)) error {
	j := journal.NewWriter(records, 0)
	at := make(sim.Endpoints)
	var services []func(context.Context) error
	if o.mqtt() {
		opened, err := newBroker(&o, j)
		if err != nil {
			return err
		}
		b := mqttServer(opened)
		at = b.endpoints()
		services = append(services, b.Run)
	}
	for _, listen := range coapListeners(&o, j) {
		s, err := listen()
		if err != nil {
			// Nothing runs yet: what is run with an ended context only closes its socket.
			ended, cancel := context.WithCancel(ctx)
			cancel()
			for _, run := range services {
				_ = run(ended)
			}
			return err
		}
		at[s.scheme] = []string{s.address}
		services = append(services, s.run)
	}
	services = append(services, func(ctx context.Context) error {
		child.Stalls(ctx, j.Stall)
		return nil
	})
	if ready != nil {
		ready(at)
	}
	return runAll(ctx, services)
}

// runAll runs all services until ctx ends or one of them does, and returns the first error.
func runAll(ctx context.Context, services []func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	var once sync.Once
	var first error
	for _, run := range services {
		wg.Go(func() {
			if err := run(ctx); err != nil {
				once.Do(func() { first = err })
			}
			cancel(nil)
		})
	}
	<-ctx.Done()
	wg.Wait()
	return first
}
