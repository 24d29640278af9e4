package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/myriad-iot/myriad/sim/child"
	"github.com/myriad-iot/myriad/sim/cluster"
	"github.com/myriad-iot/myriad/sim/rehearsal"
)

const workerHelp = `Carry a part of the devices of a run that is elsewhere: of "myriad run --expect N --listen HOST:PORT",
which prints the command. The connection goes from here to there. When it is lost for longer
than the run's lease (30 seconds, or what --lease says there), or the run is over, the devices are gone
and the worker ends.

Beyond its machine the connection is TLS, and the coordinator is known by a key that follows from the token:
whoever has the token can be a worker, and can be the coordinator.`

func workerCommand() *cobra.Command {
	var place cluster.Place
	var sources []string
	var wait time.Duration
	c := &cobra.Command{
		Use: "worker --join URL", Short: "Carry a part of the devices of a run on another machine", Long: workerHelp,
		Example: "  MYRIAD_TOKEN=... myriad worker --join tls://10.0.0.7:7070",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			place.Token = cmp.Or(place.Token, os.Getenv(envToken))
			if place.URL == "" || place.Token == "" {
				return errors.New("a worker needs --join URL and a token: --token or MYRIAD_TOKEN")
			}
			from, err := prefixes(sources)
			if err != nil {
				return err
			}
			child.Reexec()
			ctx, _, release := interruptible(c.Context())
			defer release()
			err = rehearsal.Join(ctx, &rehearsal.Joining{
				Place: place, Version: version(), Wait: wait, Sources: from,
				Joined: func(shards []int) { fmt.Fprintf(c.OutOrStdout(), "carrying %d shards\n", len(shards)) },
			})
			switch {
			case err != nil && ctx.Err() != nil:
				return &exitError{exitInterrupted, err}
			case err != nil:
				return &exitError{exitInvalid, err}
			}
			return nil
		},
	}
	fl := c.Flags()
	fl.StringVar(&place.URL, "join", "", "where the coordinator is: tls://HOST:PORT, or nats://HOST:PORT on this machine")
	fl.StringVar(&place.Token, "token", "", "the run's token; $MYRIAD_TOKEN is better: arguments can be seen by all users of a machine")
	fl.StringVar(&place.Fingerprint, "fingerprint", "", "SHA-256 of the coordinator's certificate, to know it by instead of by the token's key")
	fl.DurationVar(&wait, "wait", 0, "how long to try while no coordinator listens there yet")
	fl.StringSliceVar(&sources, "source-address", nil, "address or prefix of this machine that devices call from; several, comma-separated")
	return c
}
