package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/myriad-iot/myriad/scenarios"
	"github.com/myriad-iot/myriad/sim/cluster"
	"github.com/myriad-iot/myriad/sim/rehearsal"
)

// envToken is the environment variable that has the token of a run. What it holds is never shown.
const envToken = "MYRIAD_TOKEN"

// staffFlags say which processes carry the devices.
type staffFlags struct {
	rehearsal.Staff
	onLoss  string
	sources []string
}

func (s *staffFlags) register(c *cobra.Command) {
	fl := c.Flags()
	fl.IntVar(&s.Workers, "workers", -1, "worker processes on this machine; by default as many as the devices need descriptors for")
	fl.IntVar(&s.Expect, "expect", 0, "workers that join from other machines: myriad worker --join")
	fl.StringVar(&s.Listen, "listen", "", "HOST:PORT where workers from elsewhere join; beyond this machine it is TLS")
	fl.StringVar(&s.Token, "token", "", "token that workers must have (default $MYRIAD_TOKEN, or one that is drawn,\nand printed if this is a terminal)")
	fl.StringSliceVar(&s.sources, "source-address", nil, "address or prefix of this machine that devices call from, for targets elsewhere; several, comma-separated")
	fl.DurationVar(&s.Muster, "muster", rehearsal.Mustering, "how long workers may take to join and to make their devices")
	fl.DurationVar(&s.Lease, "lease", cluster.Lease, "how long a worker may send nothing before its devices count as lost; four times as long\nif its process is on this machine and is only short of CPU")
	fl.StringVar(&s.onLoss, "on-worker-loss", string(rehearsal.LossInvalid), "invalid: the run ends and is invalid; continue: it goes on without those devices;\ntakeover: the workers that are left connect them again, and what they had sent is neither lost nor delivered")
}

// check makes the staff, or refuses what cannot be carried, before anything starts. Joining is explained to w.
func (s *staffFlags) check(suite *scenarios.Suite, w io.Writer) error {
	s.Invite, s.OnLoss = w, rehearsal.Loss(s.onLoss)
	s.Token = cmp.Or(s.Token, os.Getenv(envToken))
	switch {
	case s.Expect > 0 && len(suite.Stories) > 1:
		return fmt.Errorf("--expect: workers join for one story, and there are %d: choose one with FILE:LINE", len(suite.Stories))
	case s.OnLoss != rehearsal.LossInvalid && s.OnLoss != rehearsal.LossContinue && s.OnLoss != rehearsal.LossTakeover:
		return fmt.Errorf("--on-worker-loss %q: write invalid, continue or takeover", s.OnLoss)
	case s.Lease < time.Second:
		return fmt.Errorf("--lease %v: at least 1s", s.Lease)
	case s.Expect > 0 && s.Listen == "":
		return errors.New("--expect: workers have to know where to join: give --listen HOST:PORT")
	case s.Expect > 0 && s.Token == "" && !isTerminal(os.Stderr):
		return errors.New("--expect: the token that workers need would be printed into a file or a log: set MYRIAD_TOKEN to one, such as what `openssl rand -hex 16` prints")
	case s.Workers == 0 && s.Expect == 0:
		return errors.New("--workers 0: nobody carries the devices: give --expect and --listen")
	}
	if err := cluster.CheckToken(s.Listen, s.Token); err != nil {
		return err
	}
	var err error
	if s.Sources, err = prefixes(s.sources); err != nil {
		return err
	}
	return s.Check(suite)
}

// prefixes reads addresses and prefixes.
func prefixes(list []string) (all []netip.Prefix, err error) {
	for _, text := range list {
		p, err := netip.ParsePrefix(text)
		if a, e := netip.ParseAddr(text); e == nil {
			p, err = a.Prefix(a.BitLen())
		}
		if err != nil {
			return nil, fmt.Errorf("--source-address %q: write an address of this machine, such as 192.0.2.7, or a prefix, 192.0.2.0/28", text)
		}
		all = append(all, p)
	}
	return all, nil
}
