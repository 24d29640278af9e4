//go:build docker

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

const composed = `Feature: Composed
  Scenario: Watched
    Given a fleet "meters" of 50 "sensor" devices
    And fleet "meters" publishes to "{fleet}/{id}/t" every 1s
    When fleet "meters" connects evenly over 2s
    And phase "steady" runs for 6s
    Then no message is lost
`

// The stack of docker/compose, with Myriad's own image: the run passes, and Prometheus has seen all of it.
func TestComposedStack(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "composed.feature"), []byte(composed), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	image := t.TempDir()
	const program = "myriad/composed:test"
	outcomeOf(t, nil, "sh", "-c", `CGO_ENABLED=0 go build -trimpath -o "$0/myriad" . && cp ../../docker/myriad/Dockerfile "$0"`, image)
	outcomeOf(t, nil, "docker", "build", "--quiet", "--tag", program, image)
	port := strconv.Itoa(freePorts(t, 1)[0])
	env := []string{
		"BROKER_IMAGE=myriad/mosquitto:local", "PROMETHEUS_IMAGE=myriad/prometheus:local", "MYRIAD_IMAGE=" + program,
		"PROMETHEUS_PORT=" + port, "STORIES=" + dir, "STORY=composed.feature", "COMPOSE_PROJECT_NAME=composed" + port,
	}
	compose := func(args ...string) string {
		return outcomeOf(t, env, "docker-compose", append([]string{"--ansi", "never", "--file", "../../docker/compose/compose.yaml"}, args...)...)
	}
	t.Cleanup(func() {
		compose("down", "--volumes")
		outcomeOf(t, nil, "docker", "rmi", program)
	})
	said := compose("up", "--exit-code-from", "myriad")
	if !strings.Contains(said, "PASSED: 1 story, 1 passed") || !strings.Contains(said, "the last figures stay at /metrics") {
		t.Error(said)
	}
	metrics := outcomeOf(t, nil, "docker", "run", "--rm", "--volume", "composed"+port+"_runs:/runs:ro", "myriad/debian:bookworm",
		"sh", "-c", `awk '/^myriad_messages_acknowledged_total/ { print $NF }' /runs/last/metrics.prom`)
	compose("up", "--detach", "prometheus")
	if got := prometheus(t, port, `max_over_time(myriad_messages_acknowledged_total[10m])`); got != strings.TrimSpace(metrics) || got == "" {
		t.Errorf("Prometheus has %q acknowledged messages, and metrics.prom %q", got, metrics)
	}
	if got := prometheus(t, port, `max_over_time(myriad_fleet_connected_devices[10m])`); got != "50" {
		t.Errorf("%q devices were connected", got)
	}
}

// outcomeOf runs a command, which has to succeed, and returns what it said.
func outcomeOf(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	c := exec.Command(name, args...)
	c.Env = append(os.Environ(), env...)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// prometheus is the value that a query has; it may take a while to start.
func prometheus(t *testing.T, port, query string) string {
	t.Helper()
	var last error
	for range 100 {
		value, err := asked("http://127.0.0.1:" + port + "/api/v1/query?query=" + url.QueryEscape(query))
		if err == nil {
			return value
		}
		last = err
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal(last)
	return ""
}

func asked(at string) (string, error) {
	r, err := http.Get(at)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return "", err
	}
	var answer struct {
		Data struct {
			Result []struct{ Value [2]any }
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil || len(answer.Data.Result) != 1 {
		return "", fmt.Errorf("not one value, %v: %s", err, body)
	}
	return fmt.Sprint(answer.Data.Result[0].Value[1]), nil
}
