package engine

import (
	"net/netip"
	"testing"

	"github.com/myriad-iot/myriad/docker"
)

func TestAddressIn(t *testing.T) {
	for prefix, want := range map[string]string{"172.18.0.0/16": "172.18.0.11", "10.3.7.64/26": "10.3.7.75", "192.168.4.9/20": "192.168.0.11"} {
		if got := addressIn(netip.MustParsePrefix(prefix), firstHost).String(); got != want {
			t.Errorf("%s: %s, want %s", prefix, got, want)
		}
	}
}

func TestClustered(t *testing.T) {
	if mosquitto().clustered() || !(&Target{Containers: docker.Cluster(docker.RabbitMQ(), 3)}).clustered() {
		t.Error("what is a cluster is not known")
	}
}
