package docker

import (
	_ "embed"
	"fmt"
	"regexp"

	"github.com/myriad-iot/myriad/sim"
)

const (
	rabbitConfig      = "/rabbitmq/rabbitmq.conf"
	rabbitPlugins     = "/rabbitmq/enabled_plugins"
	rabbitStart       = "/rabbitmq/start"
	rabbitCA          = "/rabbitmq/ca.pem"
	rabbitCertificate = "/rabbitmq/certificate.pem"
	rabbitKey         = "/rabbitmq/key.pem"

	rabbitPorts = 2 // of its own: Erlang's port mapper, and the node
)

//go:embed rabbitmq/rabbitmq.conf
var rabbitConf []byte

// rabbitScript starts the server. On a network that others share, the port mapper of Erlang and the node's
// own port must be of this container alone, or a second run meets the first one's node.
const rabbitScript = `#!/bin/sh
export ERL_EPMD_PORT=%d ERL_EPMD_ADDRESS=%s RABBITMQ_DIST_PORT=%d RABBITMQ_NODENAME=myriad@localhost
export RABBITMQ_CONFIG_FILE=%s RABBITMQ_ENABLED_PLUGINS_FILE=%s
export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1}"
exec rabbitmq-server
`

// rabbitNodeScript starts a node of a cluster, in a network of its own. The cookie is how nodes know each other. Nodes share
// the machine's processors, and none of them may wait in a loop for work while another one has some.
const rabbitNodeScript = `#!/bin/sh
for home in /var/lib/rabbitmq "$HOME"; do
	rm -f "$home/.erlang.cookie"
	(umask 077 && printf %%s %s >"$home/.erlang.cookie")
done
export RABBITMQ_NODENAME=%s RABBITMQ_CONFIG_FILE=%s RABBITMQ_ENABLED_PLUGINS_FILE=%s
export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+sbwt none +sbwtdcpu none +sbwtdio none"
exec rabbitmq-server
`

// RabbitMQ is RabbitMQ with its MQTT plugin. Topics are routing keys of an AMQP exchange, and a session is
// a durable queue. A subscription of QoS 2 is granted as QoS 1, and there are no shared subscriptions. It
// takes 10 to 20 seconds to start.
func RabbitMQ() Container {
	return Container{
		Service: sim.Service{
			Name: "broker", Role: sim.ServiceBroker,
			Schemes: []sim.Scheme{sim.SchemeMQTT, sim.SchemeMQTTS, sim.SchemeWS},
			Lacks:   []sim.Feature{sim.FeatureMQTT5, sim.FeatureQoS2, sim.FeatureShared},
			Breaks:  []sim.Power{sim.PowerStop, sim.PowerKill, sim.PowerFreeze, sim.PowerLimit, sim.PowerFill},
			Tells:   []sim.Fact{sim.FactReceived},
		},
		Image: "rabbitmq", Tag: "3.12.14", Local: "myriad/rabbitmq:local",
		Command: []string{"sh", rabbitStart},
		Private: rabbitPorts, Slow: slowStart, Joins: true, InTurn: true, Asks: true,
		Files: rabbitFiles, Data: "/var/lib/rabbitmq/mnesia", Figures: Figures{Form: FiguresPrometheus, Path: "/metrics", Connections: "rabbitmq_connections"},
		Settings: []Setting{
			{Name: rabbitCacheTTL, Value: wholeNumber, Example: "60000"},
			{Name: rabbitHTTP + "connection_timeout", Value: wholeNumber, Example: "5000"},
			{Name: rabbitHTTP + "request_timeout", Value: wholeNumber, Example: "5000"},
			{Name: "channel_max", Value: wholeNumber, Example: "100"},
			{Name: "cluster_partition_handling", Value: regexp.MustCompile(`^(?:ignore|pause_minority|autoheal)$`), Example: "pause_minority"},
			{Name: "disk_free_limit.absolute", Value: regexp.MustCompile(`^[1-9]\d*(?:[KMG]i?B)?$`), Example: "50MB"},
			{Name: "heartbeat", Value: wholeNumber, Example: "60"},
			{Name: "mqtt.durable_queue_type", Value: regexp.MustCompile(`^(?:classic|quorum)$`), Example: "quorum"},
			{Name: "mqtt.exchange", Value: regexp.MustCompile(`^[\w.-]{1,100}$`), Example: "amq.topic"},
			{Name: "mqtt.prefetch", Value: wholeNumber, Example: "10"},
			{Name: "mqtt.subscription_ttl", Value: wholeNumber, Example: "1800000"},
			{Name: "net_ticktime", Value: wholeNumber, Example: "10"},
			{Name: "total_memory_available_override_value", Value: wholeNumber, Example: "268435456"},
			{Name: "vm_memory_high_watermark.absolute", Value: regexp.MustCompile(`^[1-9]\d*(?:[KMG]i?B)?$`), Example: "200MB"},
		},
		Version: []string{"sh", "-c", "ls -d /usr/lib/rabbitmq/lib/rabbitmq_server-* /opt/rabbitmq/plugins/rabbit-* 2>/dev/null"},
		Banner:  `rabbit(?:mq_server)?-(\d+(?:\.\d+)+)`,
	}
}

// rabbitFiles adds the listeners to the configuration, and the files that they need.
func rabbitFiles(s *Setup) (map[string][]byte, error) {
	if len(s.Private) < rabbitPorts {
		return nil, fmt.Errorf("rabbitmq needs %d ports of its own, not %d", rabbitPorts, len(s.Private))
	}
	settings, plugins, files := s.Settings, "rabbitmq_mqtt"+rabbitAuthPlugins(s), make(map[string][]byte)
	if s.Auth != "" {
		settings = rabbitAsks(s.Auth, settings)
	}
	config := written(rabbitConf, settings, func(name string) string { return name + " = " })
	if s.Figures > 0 {
		plugins += ", rabbitmq_prometheus"
		config = fmt.Appendf(config, "prometheus.tcp.ip = %s\nprometheus.tcp.port = %d\n", s.Bind, s.Figures)
	}
	for _, l := range s.Listeners {
		switch l.Scheme {
		case sim.SchemeMQTT:
			config = fmt.Appendf(config, "mqtt.listeners.tcp.1 = %s:%d\n", s.Bind, l.Port)
		case sim.SchemeMQTTS:
			c := &s.Certificate
			if !c.Complete() {
				return nil, fmt.Errorf("rabbitmq: %s without a certificate", l.Scheme)
			}
			files[rabbitCA], files[rabbitCertificate], files[rabbitKey] = c.CA, c.Certificate, c.Key
			verify := "verify_none"
			if c.Mutual {
				verify = "verify_peer"
			}
			config = fmt.Appendf(config, "mqtt.listeners.ssl.1 = %s:%d\nssl_options.cacertfile = %s\nssl_options.certfile = %s\n"+
				"ssl_options.keyfile = %s\nssl_options.verify = %s\nssl_options.fail_if_no_peer_cert = %v\n",
				s.Bind, l.Port, rabbitCA, rabbitCertificate, rabbitKey, verify, c.Mutual)
		case sim.SchemeWS:
			plugins += ", rabbitmq_web_mqtt"
			config = fmt.Appendf(config, "web_mqtt.tcp.ip = %s\nweb_mqtt.tcp.port = %d\nweb_mqtt.ws_path = /mqtt\n", s.Bind, l.Port)
		default:
			return nil, fmt.Errorf("rabbitmq does not serve %q", l.Scheme)
		}
	}
	files[rabbitConfig], files[rabbitPlugins] = config, fmt.Appendf(nil, "[%s].\n", plugins)
	files[rabbitStart] = fmt.Appendf(nil, rabbitScript, s.Private[0], Loopback, s.Private[1], rabbitConfig, rabbitPlugins)
	if len(s.Peers) > 0 {
		if s.Self > 1 { // the first one waits for nobody
			files[rabbitConfig] = rabbitCluster(files[rabbitConfig], s.Peers)
		}
		files[rabbitStart] = fmt.Appendf(nil, rabbitNodeScript, s.Cookie, rabbitNode(&s.Peers[s.Self-1]), rabbitConfig, rabbitPlugins)
	}
	return files, nil
}

// rabbitCluster lets a node find the others by a list. Nodes that start at the same time may each begin a quorum of their own
// for who holds which client identifier, and then some take no client (seen with 3.10.8): they start in turn.
func rabbitCluster(config []byte, peers []Peer) []byte {
	config = fmt.Appendf(config, "cluster_formation.peer_discovery_backend = classic_config\ncluster_formation.target_cluster_size_hint = %d\n", len(peers))
	for i := range peers {
		config = fmt.Appendf(config, "cluster_formation.classic_config.nodes.%d = %s\n", i+1, rabbitNode(&peers[i]))
	}
	return config
}

func rabbitNode(p *Peer) string { return "myriad@" + p.Host }
