package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/backend"
)

const backendHelp = `Run the embedded MQTT broker and CoAP server in the foreground, until Ctrl-C. They accept every
device and every message and keep nothing: a system under test for trying things out, not for production.`

func backendCommand(g *globals) *cobra.Command {
	var mqtt, coap string
	c := &cobra.Command{
		Use: "backend", Short: "Run the embedded broker and CoAP server alone", Long: backendHelp,
		Example: "  myriad backend\n  myriad backend --mqtt 127.0.0.1:1883 --coap \"\"\n  mosquitto_sub -p 1883 -t '#'",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, args []string) error {
			log, err := g.logger(c.ErrOrStderr())
			if err != nil {
				return err
			}
			if mqtt == "" && coap == "" {
				return &exitError{exitUsage, fmt.Errorf("nothing to run: give --mqtt or --coap an address")}
			}
			ctx, _, release := interruptible(c.Context())
			defer release()
			return backend.Serve(ctx, backend.Options{MQTT: mqtt, CoAP: coap, Log: log}, nil, func(e sim.Endpoints) {
				for _, a := range e[sim.SchemeMQTT] {
					fmt.Fprintf(c.OutOrStdout(), "MQTT broker on %s\n", a)
				}
				for _, a := range e[sim.SchemeCoAP] {
					fmt.Fprintf(c.OutOrStdout(), "CoAP server on %s\n", a)
				}
				fmt.Fprintln(c.OutOrStdout(), "Ctrl-C ends it.")
			})
		},
	}
	c.Flags().StringVar(&mqtt, "mqtt", "127.0.0.1:1883", "address of the MQTT broker; empty for none")
	c.Flags().StringVar(&coap, "coap", "127.0.0.1:5683", "address of the CoAP server; empty for none")
	return c
}
