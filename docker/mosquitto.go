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
			Breaks:  []sim.Power{sim.PowerStop, sim.PowerKill, sim.PowerFreeze, sim.PowerLimit, sim.PowerFill, sim.PowerSave},
			Tells:   []sim.Fact{sim.FactReceived},
		},
		Image: "eclipse-mosquitto", Tag: "2.0.22", Local: "myriad/mosquitto:local",
		Command: []string{"/usr/sbin/mosquitto", "-c", mosquittoConfig},
		Files:   mosquittoFiles, Data: "/mosquitto/data",
		Saves:   Saves{Signal: "SIGUSR1", File: "mosquitto.db"}, // mosquitto(8): it writes another file, and renames it then
		Figures: Figures{Form: FiguresTopics},
		Settings: []Setting{
			{Name: settingACL, Value: pathOfFile, Example: "access.acl", File: true},
			{Name: settingAnonymous, Value: trueOrFalse, Example: "false"},
			{Name: "autosave_interval", Value: wholeNumber, Example: "30"},
			{Name: "max_inflight_bytes", Value: wholeNumber, Example: "65536"},
			{Name: "max_inflight_messages", Value: wholeNumber, Example: "20"},
			{Name: "max_keepalive", Value: wholeNumber, Example: "120"},
			{Name: "max_packet_size", Value: wholeNumber, Example: "65536"},
			{Name: "max_queued_bytes", Value: wholeNumber, Example: "1048576"},
			{Name: "max_queued_messages", Value: wholeNumber, Example: "1000"},
			{Name: "memory_limit", Value: wholeNumber, Example: "67108864"},
			{Name: "message_size_limit", Value: wholeNumber, Example: "4096"},
			{Name: settingPasswords, Value: pathOfFile, Example: "users.txt", File: true, Secret: true},
			{Name: "persistence", Value: trueOrFalse, Example: "false"},
			{Name: "persistent_client_expiration", Value: regexp.MustCompile(`^[1-9]\d{0,5}[hdwmy]$`), Example: "2h"},
			{Name: "queue_qos0_messages", Value: trueOrFalse, Example: "true"},
			{Name: "retain_available", Value: trueOrFalse, Example: "false"},
			{Name: "set_tcp_nodelay", Value: trueOrFalse, Example: "true"},
			{Name: "upgrade_outgoing_qos", Value: trueOrFalse, Example: "true"},
		},
		Version: []string{"/usr/sbin/mosquitto", "-h"}, Banner: `mosquitto version (\S+)`,
		Lacks: []Lack{{Says: "Websockets support not available", Schemes: []sim.Scheme{sim.SchemeWS, sim.SchemeWSS}}},
	}
}

// mosquittoFiles adds the listeners to the configuration, and the files that they need.
func mosquittoFiles(s *Setup) (map[string][]byte, error) {
	settings, files, err := mosquittoAccess(s)
	if err != nil {
		return nil, err
	}
	config := written(mosquittoConf, settings, func(name string) string { return name + " " })
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
