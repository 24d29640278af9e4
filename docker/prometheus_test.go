package docker

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/myriad-iot/myriad/sim"
)

// Each page is a job, at where the container reaches it; promtool, where it is, takes the file for what it is meant to be.
func TestPrometheusConfiguration(t *testing.T) {
	s := Setup{Bind: Loopback, Listeners: []Listener{{sim.SchemeHTTP, 7}}, Scrapes: []Scrape{
		{Job: "myriad", Address: "127.0.0.1:9464", Path: "/metrics"}, {Job: "broker 2", Address: "127.0.0.1:15692", Path: "/metrics/per-object"},
	}}
	const want = "  - job_name: \"myriad\"\n    metrics_path: \"/metrics\"\n    static_configs:\n      - targets: [\"127.0.0.1:9464\"]\n" +
		"  - job_name: \"broker 2\"\n    metrics_path: \"/metrics/per-object\"\n    static_configs:\n      - targets: [\"127.0.0.1:15692\"]\n"
	p := Prometheus()
	files, err := p.Files(&s)
	if conf := string(files[prometheusConfig]); err != nil || conf != string(prometheusConf)+want {
		t.Errorf("%v; want the file and\n%s, got\n%s", err, want, conf)
	}
	if got := p.Flags(&s); !slices.Equal(got, []string{"--web.listen-address=127.0.0.1:7"}) {
		t.Errorf("flags %q", got)
	}
	if tool, err := exec.LookPath("promtool"); err == nil {
		path := filepath.Join(t.TempDir(), "prometheus.yml")
		if err := os.WriteFile(path, files[prometheusConfig], 0o600); err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{path, "compose/prometheus.yml"} {
			if out, err := exec.Command(tool, "check", "config", file).CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		}
	} else if os.Getenv("CI") == "true" {
		t.Error(err)
	}
	s.Scrapes = nil
	if _, err := p.Files(&s); err == nil {
		t.Error("it starts with nothing to read")
	}
}
