//go:build docker

package engine

import (
	"errors"
	"strings"
	"testing"

	"github.com/myriad-iot/myriad/docker"
	"github.com/myriad-iot/myriad/sim"
)

// From a container that is not in this machine's network nobody reaches a service on its loopback: that is said at once, and
// nothing is left behind.
func TestAuthOutOfReach(t *testing.T) {
	m := &Target{Name: "rabbitmq", Containers: []docker.Container{docker.RabbitMQ()}, Ready: answers, Auth: "http://127.0.0.1:1", publish: true}
	_, err := m.Start(t.Context())
	var lacks *sim.Lacks
	if !errors.As(err, &lacks) || !strings.Contains(lacks.What, "a way to the auth service") || len(m.boxes) > 0 {
		t.Errorf("%v, %d containers", err, len(m.boxes))
	}
}
