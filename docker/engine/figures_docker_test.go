//go:build docker

package engine

import (
	"testing"

	"github.com/myriad-iot/myriad/docker"
)

// Figures that are fetched come from the port of their own, whichever network the container is in; without being asked
// for them, a service has none.
func TestContainersTell(t *testing.T) {
	for name, c := range map[string]struct {
		what    docker.Container
		publish bool
		figure  string
	}{
		"nats":                {docker.NATS(), false, "connections"},
		"nats, published":     {docker.NATS(), true, "connections"},
		"rabbitmq, published": {docker.RabbitMQ(), true, "rabbitmq_connections"},
	} {
		t.Run(name, func(t *testing.T) {
			target := &Target{Name: name, Containers: []docker.Container{c.what}, Figures: true, publish: c.publish, Ready: answers}
			start(t, target)
			told := map[string]float64{}
			must(t, target.Tell(t.Context(), "broker", func(name string, v float64) { told[name] = v }))
			if _, ok := told[c.figure]; !ok || len(told) < 20 {
				t.Errorf("%d figures, %q among them: %t", len(told), c.figure, ok)
			}
		})
	}
	silent := &Target{Name: "nats", Containers: []docker.Container{docker.NATS()}, Ready: answers}
	start(t, silent)
	if err := silent.Tell(t.Context(), "broker", func(string, float64) {}); err == nil {
		t.Error("it tells figures that nobody asked for")
	}
}
