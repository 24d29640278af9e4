package docker

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/myriad-iot/myriad/sim"
)

// Options are what every target in a container needs of its caller.
type Options struct {
	// Ready asks the broker at addr (host:port) for a whole conversation, CONNECT to CONNACK: an
	// open port alone proves nothing, for Docker's proxy accepts before the broker listens. It is
	// called until it returns nil, each time with a context of a few seconds. Required.
	Ready func(ctx context.Context, addr string) error

	// Schemes are served beside plain MQTT: mqtts, ws, wss. An image that was built without one of them
	// ends at once, and says so. The secured ones need Certificate.
	Schemes     []sim.Scheme
	Certificate Certificate

	Run string       // a name for the run, a label of its containers; default is the process's id
	Log *slog.Logger // nil discards
}

// Certificate is what a secured broker shows, and whom it trusts, all in PEM.
type Certificate struct {
	CA, Certificate, Key []byte
	Mutual               bool // clients must show a certificate that CA has signed
}

// New returns the target that spec names: "mosquitto". Nothing happens before its Start.
func New(spec sim.TargetSpec, o Options) (sim.Target, error) {
	switch spec.Name {
	case mosquittoName:
		return &Mosquitto{Options: o, Version: spec.Version}, nil
	}
	return nil, fmt.Errorf("no container target %q: there is %q", spec.Name, mosquittoName)
}

func (o *Options) logger() *slog.Logger {
	if o.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Log
}
