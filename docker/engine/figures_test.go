package engine

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/myriad-iot/myriad/docker"
	"github.com/myriad-iot/myriad/sim"
)

func TestReadFigures(t *testing.T) {
	for name, c := range map[string]struct {
		read       func([]byte, func(string, float64)) error
		page, want string // want: "name=value" of each; or a part of the error
	}{
		"a gauge":          {readPrometheus, "# TYPE a gauge\na 5\n", "a=5"},
		"without a type":   {readPrometheus, "a 1.5e3\n", "a=1500"},
		"sum over labels":  {readPrometheus, "a{queue=\"x\"} 1\na{queue=\"y\"} 2\nb 9\n", "a=3 b=9"},
		"no sum of shares": {readPrometheus, "# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 3\nh_sum 4\nh_count 3\n", "h_count=3 h_sum=4"},
		"no quantiles":     {readPrometheus, "# TYPE s summary\ns{quantile=\"0.5\"} 2\ns_sum 4\ns_count 3\n", "s_count=3 s_sum=4"},
		"not a number":     {readPrometheus, "a NaN\nb +Inf\nc 1\n", "c=1"},
		"not the format":   {readPrometheus, "<html>", "not Prometheus' text format"},
		"cut off":          {readPrometheus, "a 1\nb", "not Prometheus' text format"},
		"nothing":          {readPrometheus, "", ""},
		"an object":        {readJSON, `{"in_msgs": 12, "name": "x", "up": true, "mem": 1.5e3}`, "in_msgs=12 mem=1500"},
		"nested":           {readJSON, `{"jetstream": {"stats": {"memory": 7}}, "a": 1}`, "a=1 jetstream.stats.memory=7"},
		"lists":            {readJSON, `{"urls": [1, 2], "routes": 0}`, "routes=0"},
		"too large":        {readJSON, `{"a": 1e999, "b": 2}`, "b=2"},
		"not an object":    {readJSON, `[1]`, "not an object of JSON"},
		"no JSON":          {readJSON, `busy`, "not an object of JSON"},
	} {
		var got []string
		err := c.read([]byte(c.page), func(name string, v float64) {
			got = append(got, name+"="+strconv.FormatFloat(v, 'f', -1, 64))
		})
		if err != nil {
			got = []string{err.Error()}
		}
		if text := strings.Join(got, " "); text != c.want && (err == nil || !strings.Contains(text, c.want)) {
			t.Errorf("%s: got %q, want %q", name, text, c.want)
		}
	}
}

// Whatever a service answers, it is read without a panic, and what it tells are names with finite numbers, in order.
func FuzzFigures(f *testing.F) {
	for _, page := range []string{"a 5\n", "a{b=\"c\"} 1 2\n# TYPE a histogram\na_bucket{le=\"1\"} 2\n", `{"a": {"b": 1}}`, `{"": 1e400}`, "{", "\x00"} {
		f.Add([]byte(page))
	}
	f.Fuzz(func(t *testing.T, page []byte) {
		for _, read := range []func([]byte, func(string, float64)) error{readPrometheus, readJSON} {
			last := ""
			_ = read(page, func(name string, v float64) {
				if name <= last || !finite(v) {
					t.Errorf("%q after %q: %v", name, last, v)
				}
				last = name
			})
		}
	})
}

// A service is asked at its own port, at the path that it has.
func TestTell(t *testing.T) {
	long := strings.Repeat("# x\n", maxFigures/4+1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/metrics":
			fmt.Fprint(w, "connections 3\n")
		case "/varz":
			fmt.Fprint(w, `{"connections": 4}`)
		case "/long":
			fmt.Fprint(w, long)
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	_, text, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		service string
		figures docker.Figures
		port    int
		want    string
	}{
		{"broker", docker.Figures{Form: docker.FiguresPrometheus, Path: "/metrics"}, port, "connections=3"},
		{"broker", docker.Figures{Form: docker.FiguresJSON, Path: "/varz"}, port, "connections=4"},
		{"broker", docker.Figures{Form: docker.FiguresJSON, Path: "/elsewhere"}, port, "404 Not Found"},
		{"broker", docker.Figures{Form: docker.FiguresPrometheus, Path: "/long"}, port, "longer than 4 MiB"},
		{"broker", docker.Figures{Form: docker.FiguresPrometheus, Path: "/metrics"}, 1, "connection refused"},
		{"broker", docker.Figures{}, 0, "not started with a port for its figures"},
		{"coap", docker.Figures{}, 0, `has no service "coap"`},
	} {
		what := docker.Container{Service: sim.Service{Name: "broker"}, Figures: c.figures}
		target := &Target{Name: "x", Containers: []docker.Container{what}, boxes: []*box{{figures: c.port, what: what}}}
		got := ""
		if err := target.Tell(t.Context(), c.service, func(name string, v float64) { got += fmt.Sprint(name, "=", v) }); err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// The port for figures is one more, and only where they are wanted and are fetched.
func TestFiguresPort(t *testing.T) {
	for _, c := range []struct {
		wanted bool
		what   docker.Container
		want   bool
	}{
		{true, docker.RabbitMQ(), true}, {false, docker.RabbitMQ(), false}, {true, docker.Mosquitto(), false}, {true, docker.NATS(), true},
	} {
		list, private, figures, err := (&Target{Figures: c.wanted}).listeners(&c.what)
		if err != nil {
			t.Fatal(err)
		}
		b := box{listeners: list, figures: figures}
		ports := map[int]bool{}
		for _, port := range append(b.ports(), private...) {
			ports[port] = true
		}
		want := 1 + c.what.Private
		if c.want {
			want++
		}
		if (figures > 0) != c.want || len(private) != c.what.Private || len(ports) != want {
			t.Errorf("%s, wanted: %t: port %d, %d private ones, %d in all", c.what.Image, c.wanted, figures, len(private), len(ports))
		}
	}
}
