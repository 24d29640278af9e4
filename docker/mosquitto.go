package docker

import (
	_ "embed"
	"fmt"
	"regexp"

	"github.com/myriad-iot/myriad/sim"
)

const (
	mosquittoConfig      = "/mosquitto/config/mosquitto.conf"
	mosquittoCA          = "/mosquitto/config/ca.pem"
	mosquittoCertificate = "/mosquitto/config/certificate.pem"
	mosquittoKey         = "/mosquitto/config/key.pem"
)

//go:embed mosquitto/mosquitto.conf
var mosquittoConf []byte

// Mosquitto is Eclipse Mosquitto, configured the same whichever image it comes from. Sessions outlive
// a SIGKILL once the broker has written them, every other second.
func Mosquitto() Container {
	return Container{
		Service: sim.Service{
			Name: "broker", Role: sim.ServiceBroker,
			Schemes: []sim.Scheme{sim.SchemeMQTT, sim.SchemeMQTTS, sim.SchemeWS, sim.SchemeWSS},
			Breaks:  []sim.Power{sim.PowerStop, sim.PowerKill, sim.PowerFreeze, sim.PowerLimit},
			Tells:   []sim.Fact{sim.FactReceived},
		},
		Image: "eclipse-mosquitto", Tag: "2.0.22", Local: "myriad/mosquitto:local",
		Command: []string{"/usr/sbin/mosquitto", "-c", mosquittoConfig},
		Files:   mosquittoFiles,
		Figures: Figures{Form: FiguresTopics},
		Settings: []Setting{
			{"autosave_interval", wholeNumber, "30"},
			{"max_inflight_bytes", wholeNumber, "65536"},
			{"max_inflight_messages", wholeNumber, "20"},
			{"max_keepalive", wholeNumber, "120"},
			{"max_packet_size", wholeNumber, "65536"},
			{"max_queued_bytes", wholeNumber, "1048576"},
			{"max_queued_messages", wholeNumber, "1000"},
			{"memory_limit", wholeNumber, "67108864"},
			{"message_size_limit", wholeNumber, "4096"},
			{"persistence", trueOrFalse, "false"},
			{"persistent_client_expiration", regexp.MustCompile(`^[1-9]\d{0,5}[hdwmy]$`), "2h"},
			{"queue_qos0_messages", trueOrFalse, "true"},
			{"retain_available", trueOrFalse, "false"},
			{"set_tcp_nodelay", trueOrFalse, "true"},
			{"upgrade_outgoing_qos", trueOrFalse, "true"},
		},
		Version: []string{"/usr/sbin/mosquitto", "-h"}, Banner: `mosquitto version (\S+)`,
		Lacks: []Lack{{Says: "Websockets support not available", Schemes: []sim.Scheme{sim.SchemeWS, sim.SchemeWSS}}},
	}
}

// mosquittoFiles adds the listeners to the configuration, and the files that they need.
func mosquittoFiles(s *Setup) (map[string][]byte, error) {
	config, files := written(mosquittoConf, s.Settings, func(name string) string { return name + " " }), make(map[string][]byte)
	for _, l := range s.Listeners {
		if l.Scheme.Channel() != sim.ChannelMQTT {
			return nil, fmt.Errorf("mosquitto does not speak %q", l.Scheme)
		}
		if t := l.Scheme.Transport(); t == sim.TransportWS || t == sim.TransportWSS {
			bind := s.Bind
			if bind == Loopback {
				bind = "lo" // of an address it takes no notice: it listened at all of them (seen with 2.0.11)
			}
			config = fmt.Appendf(config, "\nlistener %d %s\nprotocol websockets\n", l.Port, bind)
		} else {
			config = fmt.Appendf(config, "\nlistener %d %s\n", l.Port, s.Bind)
		}
		if !l.Scheme.Transport().Secured() {
			continue
		}
		c := &s.Certificate
		if !c.Complete() {
			return nil, fmt.Errorf("mosquitto: %s without a certificate", l.Scheme)
		}
		files[mosquittoCA], files[mosquittoCertificate], files[mosquittoKey] = c.CA, c.Certificate, c.Key
		config = fmt.Appendf(config, "cafile %s\ncertfile %s\nkeyfile %s\nrequire_certificate %v\n",
			mosquittoCA, mosquittoCertificate, mosquittoKey, c.Mutual)
	}
	files[mosquittoConfig] = config
	return files, nil
}
