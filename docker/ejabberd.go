package docker

import (
	"bytes"
	_ "embed"
	"fmt"
	"regexp"

	"github.com/myriad-iot/myriad/sim"
)

const (
	ejabberdConfig = "/ejabberd/conf/ejabberd.yml"
	ejabberdCtl    = "/ejabberd/conf/ejabberdctl.cfg"
	ejabberdStart  = "/ejabberd/conf/start"
	ejabberdServer = "/ejabberd/conf/server.pem"
	ejabberdCA     = "/ejabberd/conf/ca.pem"
)

var (
	//go:embed ejabberd/ejabberd.yml
	ejabberdConf []byte
	//go:embed ejabberd/start
	ejabberdScript []byte
)

// Ejabberd is ejabberd with its MQTT module, MQTT 5 and 3.1.1. It refuses those who name no user, so whoever
// says nothing is the user "device", and it refuses shared subscriptions (reason code 0x9E). Sessions are
// kept in memory: a restart or a kill takes them, and what waits in them. It takes 7 s to start.
func Ejabberd() Container {
	return Container{
		Service: sim.Service{
			Name: "broker", Role: sim.ServiceBroker,
			Schemes: []sim.Scheme{sim.SchemeMQTT, sim.SchemeMQTTS, sim.SchemeWS},
			Lacks:   []sim.Feature{sim.FeatureShared},
			Breaks:  []sim.Power{sim.PowerStop, sim.PowerKill, sim.PowerFreeze, sim.PowerLimit},
			Tells:   []sim.Fact{sim.FactReceived},
		},
		Image: "ejabberd/ecs", Tag: "23.01", Local: "myriad/ejabberd:local",
		Command: []string{"sh", ejabberdStart},
		Login:   sim.Login{Username: "device@localhost", Password: sim.NewSecret("any")},
		Private: 1, Slow: slowStart,
		Files: ejabberdFiles,
		Settings: []Setting{
			{Name: "max_queue", Value: regexp.MustCompile(`^(?:unlimited|infinity|[1-9]\d{0,9})$`), Example: "1000"},
			{Name: "max_topic_depth", Value: wholeNumber, Example: "8"},
			{Name: "max_topic_aliases", Value: wholeNumber, Example: "100"},
			{Name: "session_expiry", Value: regexp.MustCompile(`^(?:0|[1-9]\d* (?:seconds?|minutes?|hours?|days?))$`), Example: "5 minutes"},
		},
		Version: []string{"sh", "-c", "ls -d /usr/lib/*/ejabberd-* /home/ejabberd/lib/ejabberd-* 2>/dev/null"},
		Banner:  `ejabberd-(\d+(?:\.\d+)+)`,
	}
}

// ejabberdFiles adds the listeners to the configuration, and the files that they need.
func ejabberdFiles(s *Setup) (map[string][]byte, error) {
	if len(s.Private) < 1 {
		return nil, fmt.Errorf("ejabberd needs a port of its own")
	}
	config := written(ejabberdConf, s.Settings, func(name string) string { return "    " + name + ": " }) // of mod_mqtt
	config, files := fmt.Appendf(config, "\nlisten:\n"), make(map[string][]byte)
	var secured []byte // what listeners share
	for _, l := range s.Listeners {
		config = fmt.Appendf(config, "  - ip: %q\n    port: %d\n    backlog: 4096\n", s.Bind, l.Port)
		switch l.Scheme {
		case sim.SchemeMQTT:
			config = fmt.Appendf(config, "    module: mod_mqtt\n")
		case sim.SchemeMQTTS:
			c := &s.Certificate
			if !c.Complete() {
				return nil, fmt.Errorf("ejabberd: %s without a certificate", l.Scheme)
			}
			files[ejabberdServer], files[ejabberdCA] = append(bytes.Clone(c.Certificate), c.Key...), c.CA
			config = fmt.Appendf(config, "    module: mod_mqtt\n    tls: true\n    tls_verify: %v\n", c.Mutual)
			secured = fmt.Appendf(nil, "certfiles: [%q]\nca_file: %q\n", ejabberdServer, ejabberdCA)
		case sim.SchemeWS:
			config = fmt.Appendf(config, "    module: ejabberd_http\n    request_handlers:\n      /mqtt: mod_mqtt\n")
		default:
			return nil, fmt.Errorf("ejabberd does not serve %q", l.Scheme)
		}
	}
	files[ejabberdConfig], files[ejabberdStart] = append(config, secured...), ejabberdScript
	// The node's own port, instead of one that the port mapper of Erlang would find: nobody shares it.
	files[ejabberdCtl] = fmt.Appendf(nil, "ERL_DIST_PORT=%d\nINET_DIST_INTERFACE=%s\ntrap : TERM\n", s.Private[0], Loopback)
	return files, nil
}
