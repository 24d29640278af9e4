package main

import (
	"crypto/tls"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/myriad-iot/myriad/reports/folder"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/identity"
)

const identityHelp = `Write the certificates of a run as PEM files, for a broker that is not Myriad's: ca.pem, which it must
trust, and server.pem with server-key.pem, which it may show. With --fleet also those of the fleet's first
devices. They follow from the seed alone: the same seed writes the same bytes, here and on any machine,
and the devices of a run show the same ones. Whoever knows the seed can be any device: use them on test
systems only.`

func identityCommand() *cobra.Command {
	var o identityFiles
	c := &cobra.Command{
		Use: "identity", Short: "Write the certificates of a run as files", Long: identityHelp,
		Example: "  myriad identity --seed 7 --host broker.test\n  myriad identity --fleet meters --count 3",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			names, err := o.write()
			for _, name := range names {
				fmt.Fprintln(c.OutOrStdout(), name)
			}
			return err
		},
	}
	f := c.Flags()
	f.Uint64Var(&o.seed, "seed", 1, "seed of the run")
	f.StringVar(&o.out, "out", ".", "folder to write to; only files that it wrote before are replaced")
	f.StringArrayVar(&o.hosts, "host", nil, "host name or address of the server, beside localhost; may be repeated")
	f.StringVar(&o.fleet, "fleet", "", "fleet whose devices get files")
	f.Uint16Var(&o.index, "fleet-index", 0, "the fleet's place in its story, from 0")
	f.IntVar(&o.count, "count", 1, "how many devices, with --fleet")
	return c
}

// identityFiles says what to write where.
type identityFiles struct {
	seed  uint64
	out   string
	hosts []string
	fleet string
	index uint16
	count int
}

// write returns the names of the files that it has written: all of them, or none when a file of the user's is in
// the place of one.
func (o *identityFiles) write() (names []string, err error) {
	files, err := o.files()
	if err != nil {
		return nil, err
	}
	if err := folder.Put(o.out, files); err != nil {
		return nil, err
	}
	for _, f := range files {
		names = append(names, filepath.Join(o.out, f.Name))
	}
	return names, nil
}

func (o *identityFiles) files() (files []folder.File, err error) {
	pair := func(name string, c *tls.Certificate, err error) error {
		if err != nil {
			return err
		}
		certificate, key, err := identity.PEM(c)
		files = append(files, folder.File{Name: name + ".pem", Mode: 0o644, Text: certificate},
			folder.File{Name: name + "-key.pem", Mode: 0o600, Text: key})
		return err
	}
	a := &identity.Authority{Seed: o.seed}
	ca, err := a.CA()
	if err != nil {
		return nil, err
	}
	files = append(files, folder.File{Name: "ca.pem", Mode: 0o644, Text: ca})
	server, err := a.Server(o.hosts...)
	if err := pair("server", server, err); err != nil || o.fleet == "" {
		return files, err
	}
	f := sim.Fleet{Name: o.fleet}
	for i := range o.count {
		id := f.DeviceID(sim.Ordinal(i))
		device, err := a.Device(o.index, sim.Ordinal(i), id)
		if err := pair(id, device, err); err != nil {
			return nil, err
		}
	}
	return files, nil
}
