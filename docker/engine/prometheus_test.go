package engine

import (
	"slices"
	"strings"
	"testing"

	"github.com/myriad-iot/myriad/docker"
)

func TestAllRead(t *testing.T) {
	const up, down = `{"scrapeUrl": "http://a/metrics", "health": "up", "lastError": ""}`, `{"scrapeUrl": "http://b/metrics", "health": "down", "lastError": "refused"}`
	const unknown = `{"scrapeUrl": "http://c/metrics", "health": "unknown", "lastError": ""}`
	for said, want := range map[string]string{
		up + "," + up:      "",
		up:                 "it reads 1 pages of 2",
		up + "," + down:    "it has not read http://b/metrics: refused",
		unknown + "," + up: "it has not read http://c/metrics: unknown",
		"":                 "it reads 0 pages of 2",
		"-":                "what it says of its targets: ",
	} {
		err := allRead([]byte(`{"status": "success", "data": {"activeTargets": [`+said+`]}}`), 2)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if (got == "") != (want == "") || !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %q", said, got, want)
		}
	}
}

// Only what is in Prometheus' format, and was started with a port for it, is a page.
func TestPages(t *testing.T) {
	rabbit, nats := docker.RabbitMQ(), docker.NATS()
	second := rabbit
	second.Service.Name = "broker 2"
	target := &Target{boxes: []*box{{what: rabbit, figures: 7}, {what: second, figures: 8}, {what: rabbit}, {what: nats, figures: 9}}}
	want := []docker.Scrape{{Job: "broker", Address: "127.0.0.1:7", Path: "/metrics"}, {Job: "broker 2", Address: "127.0.0.1:8", Path: "/metrics"}}
	if got := target.Pages(); !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
}
