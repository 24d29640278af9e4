package docker

import (
	_ "embed"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"

	"github.com/myriad-iot/myriad/sim"
)

const prometheusConfig = "/etc/prometheus/prometheus.yml"

//go:embed prometheus/prometheus.yml
var prometheusConf []byte

// Scrape is a page of figures in Prometheus' text format, which is read every second.
type Scrape struct {
	Job     string // whose figures they are: the label "job"
	Address string // HOST:PORT, as the container reaches it
	Path    string // such as "/metrics"
}

// Prometheus reads the pages of [Setup.Scrapes], and answers to who asks what they said. It is no part of a target.
func Prometheus() Container {
	return Container{
		Service: sim.Service{Name: "prometheus", Role: sim.ServiceMonitor, Schemes: []sim.Scheme{sim.SchemeHTTP}},
		Image:   "prom/prometheus", Tag: "v2.53.5", Local: "myriad/prometheus:local",
		Command: []string{"--config.file=" + prometheusConfig, "--storage.tsdb.path=/prometheus", "--log.level=warn"},
		Flags:   prometheusFlags,
		Files:   prometheusFiles,
		Version: []string{"prometheus", "--version"}, Banner: `prometheus, version (\d+(?:\.\d+)+)`,
	}
}

// prometheusFlags are where it listens, which its configuration cannot say.
func prometheusFlags(s *Setup) []string {
	var list []string
	for _, l := range s.Listeners {
		list = append(list, "--web.listen-address="+net.JoinHostPort(s.Bind, strconv.Itoa(l.Port)))
	}
	return list
}

// prometheusFiles adds a job for each page.
func prometheusFiles(s *Setup) (map[string][]byte, error) {
	if len(s.Scrapes) == 0 {
		return nil, errors.New("prometheus has nothing to read")
	}
	config := slices.Clone(prometheusConf)
	for _, p := range s.Scrapes {
		config = fmt.Appendf(config, "  - job_name: %q\n    metrics_path: %q\n    static_configs:\n      - targets: [%q]\n", p.Job, p.Path, p.Address)
	}
	return map[string][]byte{prometheusConfig: config}, nil
}
