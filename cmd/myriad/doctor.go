package main

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/myriad-iot/myriad/sim"
	hosts "github.com/myriad-iot/myriad/sim/host"
)

const doctorHelp = `Say what this machine allows, how many devices it carries, and which command raises each limit.
Nothing is started and nothing is changed.

With stories, each is held against the machine; otherwise --devices of each kind are: MQTT, MQTT over
TLS, CoAP, CoAP over DTLS. The file limit of a target on loopback is looked up too, if its
process may be looked into. Exit code 0 if everything fits, 4 if something does not.`

const doctorExamples = `  myriad doctor
  myriad doctor --devices 100000
  myriad doctor features/scale_100k.feature
  myriad doctor --devices 50000 --target mqtt://127.0.0.1:1883 --json`

// patient is one thing that may or may not fit.
type patient struct {
	Name     string          `json:"name"`
	Devices  int             `json:"devices"`
	Workers  int             `json:"workers"`
	Brokers  int             `json:"brokers"`
	Fits     bool            `json:"fits"`
	Findings []hosts.Finding `json:"findings"`
}

func doctorCommand() *cobra.Command {
	var stories storyFlags
	var devices int
	var asJSON bool
	c := &cobra.Command{
		Use: "doctor [PATH...]", Short: "Say how many devices fit here, and how to fit more",
		Long: doctorHelp, Example: doctorExamples,
		RunE: func(c *cobra.Command, paths []string) error {
			if devices < 1 {
				return &exitError{exitUsage, fmt.Errorf("--devices %d: write a number above 0", devices)}
			}
			root := os.DirFS("/")
			limits := hosts.Read(root, runtime.NumCPU())
			var list []patient
			if len(paths) > 0 {
				suite, err := stories.load(c, paths)
				if err != nil {
					return err
				}
				for _, s := range suite.Stories {
					list = append(list, examine(root, limits, s.Plan.Story.Name, hosts.NeedOf(limits, &s.Plan), s.Plan.Target.Endpoints))
				}
			} else {
				target, err := endpointsOf(stories.target())
				if err != nil {
					return &exitError{exitUsage, err}
				}
				list = each(root, limits, devices, target)
			}
			return tell(c.OutOrStdout(), limits, list, asJSON)
		},
	}
	stories.register(c)
	c.Flags().IntVar(&devices, "devices", 10_000, "number of devices of each kind, when no story is named")
	c.Flags().BoolVar(&asJSON, "json", false, "print the findings as JSON")
	return c
}

// tell prints what was found; its error is exit code 4 if something does not fit.
func tell(w io.Writer, l hosts.Limits, list []patient, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		if err := enc.Encode(map[string]any{"limits": l, "per_process": l.PerProcess(), "findings": list}); err != nil {
			return err
		}
	}
	fits := true
	for _, p := range list {
		fits = fits && p.Fits
		if !asJSON {
			doctorText(w, p, l)
		}
	}
	if !fits {
		return &exitError{code: exitInvalid}
	}
	return nil
}

// endpointsOf reads --target where there is no story that it replaces the target of.
func endpointsOf(target string) (sim.Endpoints, error) {
	if target == "" || target == string(sim.TargetEmbedded) || target == string(sim.TargetVirtual) {
		return nil, nil
	}
	e := make(sim.Endpoints)
	for _, uri := range strings.Split(target, ",") {
		_, uri, err := sim.CutLogin(strings.TrimSpace(uri)) // nobody logs in here
		var s sim.Scheme
		var address string
		if err == nil {
			s, address, err = sim.ParseEndpoint(uri, "")
		}
		if err != nil {
			return nil, fmt.Errorf("--target: without a story, write embedded or SCHEME://HOST:PORT: %w", err)
		}
		e[s] = append(e[s], address)
	}
	return e, nil
}

// each examines n devices of each kind.
func each(root fs.FS, l hosts.Limits, n int, target sim.Endpoints) []patient {
	var list []patient
	for _, s := range []sim.Scheme{sim.SchemeMQTT, sim.SchemeMQTTS, sim.SchemeCoAP, sim.SchemeCoAPS} {
		name := sim.Protocol{Channel: s.Channel(), Transport: s.Transport()}.String()
		if len(target) > 0 && len(target[s]) == 0 {
			continue
		}
		need := hosts.Need{Embedded: len(target) == 0, Destinations: len(target[s])}
		need.Add(s.Channel(), s.Transport(), n)
		if need.Embedded {
			need.Destinations = l.Brokers(need)
		}
		need.SourceAddresses = hosts.SourceAddresses(&sim.TargetSpec{Endpoints: target})
		list = append(list, examine(root, l, name, need, sim.Endpoints{s: target[s]}))
	}
	return list
}

// examine holds a need against the machine and against what listens on it.
func examine(root fs.FS, l hosts.Limits, name string, n hosts.Need, target sim.Endpoints) patient {
	p := patient{Name: name, Devices: n.Devices(), Workers: l.Workers(n), Brokers: l.Brokers(n), Findings: hosts.Examine(l, n)}
	for _, s := range sim.Schemes() {
		for _, address := range target[s] {
			hostname, port, _ := sim.SplitAddress(address)
			number, err := strconv.Atoi(port)
			if s.Channel() != sim.ChannelMQTT || err != nil || !local(hostname) {
				continue
			}
			if listener, ok := hosts.FindListener(root, number); ok {
				share := (n.MQTT + n.MQTTOverTLS + n.Destinations - 1) / max(1, n.Destinations)
				p.Findings = append(p.Findings, listener.Examine(share))
			}
		}
	}
	p.Fits = true
	for _, f := range p.Findings {
		p.Fits = p.Fits && f.Verdict != hosts.TooLittle
	}
	return p
}

func local(name string) bool {
	ip := net.ParseIP(name)
	return name == "localhost" || ip != nil && ip.IsLoopback()
}

func doctorText(w io.Writer, p patient, l hosts.Limits) {
	fmt.Fprintf(w, "%s: %d devices\n", p.Name, p.Devices)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "  LIMIT\tIS\tALLOWS\tNEEDS\tVERDICT")
	for _, f := range p.Findings {
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\n", f.Limit, f.Is, f.Allows, f.Needs, f.Verdict)
	}
	_ = t.Flush() // an error of w is seen by the next who writes to it
	for _, f := range p.Findings {
		if f.Mend != "" {
			fmt.Fprintf(w, "  to raise %s: %s\n", f.Limit, f.Mend)
		}
	}
	verdict := "fits here"
	if !p.Fits {
		verdict = "does not fit here"
	}
	fmt.Fprintf(w, "  %s: %d devices per worker process, workers: %d", verdict, l.PerProcess(), p.Workers)
	if p.Brokers > 0 {
		fmt.Fprintf(w, ", broker processes: %d", p.Brokers)
	}
	fmt.Fprint(w, "\n\n")
}
