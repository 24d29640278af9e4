package docker

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/myriad-iot/myriad/sim"
)

const (
	natsConfig      = "/nats/nats.conf"
	natsCertificate = "/nats/certificate.pem"
	natsKey         = "/nats/key.pem"
	natsCA          = "/nats/ca.pem"
)

//go:embed nats/nats.conf
var natsConf []byte

const (
	natsRoute    = 6222 // the port at which nodes of a cluster talk to each other, in their own network
	natsReplicas = 3    // of sessions and messages that wait: as many as survive the loss of one
)

var (
	natsSize = regexp.MustCompile(`^[1-9]\d*(?:[KMG]B)?$`)
	natsTime = regexp.MustCompile(`^[1-9]\d*(?:ms|s|m|h)$`)
)

// NATS is a NATS server as an MQTT 3.1.1 broker: topics are its subjects, and sessions and messages that
// wait are files of JetStream. It has one listener for MQTT and one for WebSocket, so it serves ws:// or
// wss://, and no mqtts:// beside the plain port, which the probe comes by.
func NATS() Container {
	return Container{
		Service: sim.Service{
			Name: "broker", Role: sim.ServiceBroker,
			Schemes: []sim.Scheme{sim.SchemeMQTT, sim.SchemeWS, sim.SchemeWSS},
			Lacks:   []sim.Feature{sim.FeatureMQTT5, sim.FeatureQoS2, sim.FeatureShared, sim.FeatureFullStop},
			Breaks:  []sim.Power{sim.PowerStop, sim.PowerKill, sim.PowerFreeze, sim.PowerLimit},
			Tells:   []sim.Fact{sim.FactReceived},
		},
		Image: "nats", Tag: "2.9.25", Local: "myriad/nats:local",
		Command: []string{"-c", natsConfig},
		Files:   natsFiles, Joins: true,
		Figures: Figures{Form: FiguresJSON, Path: "/varz", Connections: "connections"},
		Settings: []Setting{
			{Name: "max_connections", Value: wholeNumber, Example: "1000"},
			{Name: "max_pending", Value: natsSize, Example: "64MB"},
			{Name: "max_payload", Value: natsSize, Example: "1MB"},
			{Name: "ping_interval", Value: natsTime, Example: "2m"},
			{Name: "ping_max", Value: wholeNumber, Example: "2"},
			{Name: "write_deadline", Value: natsTime, Example: "10s"},
		},
		Version: []string{"/nats-server", "--version"}, Banner: `nats-server: v(\S+)`,
	}
}

// natsFiles adds the listeners to the configuration, and the files that they need.
func natsFiles(s *Setup) (map[string][]byte, error) {
	files := make(map[string][]byte)
	settings, replicas := s.Settings, ""
	if len(s.Peers) > 0 {
		settings = append(slices.Clip(settings), sim.Setting{Name: "server_name", Value: s.Peers[s.Self-1].Host})
		replicas = fmt.Sprintf(", stream_replicas: %d", min(len(s.Peers), natsReplicas))
	}
	config := fmt.Appendf(written(natsConf, settings, func(name string) string { return name + ": " }), "\nhost: %q\n", s.Bind)
	if len(s.Peers) > 0 {
		config = natsCluster(config, s)
	}
	if s.Figures > 0 {
		config = fmt.Appendf(config, "http: \"%s:%d\"\n", s.Bind, s.Figures)
	}
	seen := make(map[string]sim.Scheme) // by block
	for _, l := range s.Listeners {
		block, more := "websocket", "no_tls: true"
		switch l.Scheme {
		case sim.SchemeMQTT:
			block, more = "mqtt", "max_ack_pending: 65535"+replicas
		case sim.SchemeWS:
		case sim.SchemeWSS:
			c := &s.Certificate
			if !c.Complete() {
				return nil, fmt.Errorf("nats: %s without a certificate", l.Scheme)
			}
			files[natsCertificate], files[natsKey], files[natsCA] = c.Certificate, c.Key, c.CA
			more = fmt.Sprintf("tls { cert_file: %q, key_file: %q, ca_file: %q, verify: %v }", natsCertificate, natsKey, natsCA, c.Mutual)
		default:
			return nil, fmt.Errorf("nats does not serve %q", l.Scheme)
		}
		if other, twice := seen[block]; twice {
			return nil, &sim.Lacks{Target: "nats", What: fmt.Sprintf("%s:// beside %s://", l.Scheme, other)}
		}
		seen[block] = l.Scheme
		config = fmt.Appendf(config, "%s { host: %q, port: %d, %s }\n", block, s.Bind, l.Port, more)
	}
	files[natsConfig] = config
	return files, nil
}

// natsCluster lets nodes find each other by a list.
func natsCluster(config []byte, s *Setup) []byte {
	var routes []string
	for i := range s.Peers {
		routes = append(routes, fmt.Sprintf(`"nats://node:%s@%s:%d"`, s.Cookie, s.Peers[i].Host, natsRoute))
	}
	return fmt.Appendf(config, "cluster { name: myriad, listen: \"%s:%d\", authorization { user: node, password: %q }, routes: [%s] }\n",
		s.Bind, natsRoute, s.Cookie, strings.Join(routes, ", "))
}
