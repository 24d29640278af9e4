//go:build docker

package engine

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/myriad-iot/myriad/docker"
	"github.com/myriad-iot/myriad/sim"
)

// Prometheus is ready when it has read each page. Where it could not, for its container is not in this machine's network,
// that is said, and nothing is left of it.
func TestPrometheus(t *testing.T) {
	var asked atomic.Int32
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/figures" {
			asked.Add(1)
		}
		io.WriteString(w, "answer 42\n")
	}))
	defer page.Close()
	pages := []docker.Scrape{{Job: "it", Address: strings.TrimPrefix(page.URL, "http://"), Path: "/figures"}}
	p := Prometheus(pages, nil)
	at, err := p.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop(t.Context())
	if asked.Load() == 0 {
		t.Error("it is ready and has read nothing")
	}
	said, err := fetch(t.Context(), "http://"+at.Of(sim.SchemeHTTP, 0)+"/api/v1/query?query=answer")
	if err != nil || !strings.Contains(string(said), `"42"`) || !strings.Contains(string(said), `"job":"it"`) {
		t.Errorf("%v: %s", err, said)
	}
	if d := p.Describe(); d["version"] == "" || d["address"] == "" {
		t.Errorf("%q", d)
	}

	apart := Prometheus(pages, nil)
	apart.publish = true
	_, err = apart.Start(t.Context())
	var lacks *sim.Lacks
	if !errors.As(err, &lacks) || !strings.Contains(err.Error(), "not in this machine's network") || !strings.Contains(err.Error(), "--metrics") {
		t.Errorf("%v", err)
	}
	if len(apart.boxes) != 0 {
		t.Error("something is left")
	}
}
