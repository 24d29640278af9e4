package docker

import (
	"errors"
	"strings"
	"testing"

	"github.com/myriad-iot/myriad/sim"
)

func TestNATSConfiguration(t *testing.T) {
	full := Certificate{CA: []byte("ca"), Certificate: []byte("cert"), Key: []byte("key"), Mutual: true}
	plain := Listener{sim.SchemeMQTT, 1}
	const mqtt = `mqtt { host: "127.0.0.1", port: 1, max_ack_pending: 65535 }` + "\n"
	for _, c := range []struct {
		s    Setup
		want string
	}{
		{Setup{Bind: Loopback, Listeners: []Listener{plain}}, "\nhost: \"127.0.0.1\"\n" + mqtt},
		{Setup{Bind: "0.0.0.0", Listeners: []Listener{plain}}, "\nhost: \"0.0.0.0\"\n" + strings.Replace(mqtt, Loopback, "0.0.0.0", 1)},
		{Setup{Bind: Loopback, Listeners: []Listener{plain}, Figures: 7}, "\nhost: \"127.0.0.1\"\nhttp: \"127.0.0.1:7\"\n" + mqtt},
		{Setup{Bind: Loopback, Listeners: []Listener{plain, {sim.SchemeWS, 2}}},
			"\nhost: \"127.0.0.1\"\n" + mqtt + `websocket { host: "127.0.0.1", port: 2, no_tls: true }` + "\n"},
		{Setup{Bind: Loopback, Certificate: full, Listeners: []Listener{plain, {sim.SchemeWSS, 2}}},
			"\nhost: \"127.0.0.1\"\n" + mqtt + `websocket { host: "127.0.0.1", port: 2, tls { cert_file: "/nats/certificate.pem", ` +
				`key_file: "/nats/key.pem", ca_file: "/nats/ca.pem", verify: true } }` + "\n"},
	} {
		files, err := NATS().Files(&c.s)
		if conf := files[natsConfig]; err != nil || string(conf) != string(natsConf)+c.want {
			t.Errorf("%v; want the file and %q, got:\n%s", err, c.want, conf)
		}
		if secured := strings.Contains(c.want, "cert_file"); secured != (string(files[natsKey]) == "key") {
			t.Errorf("files %q", files)
		}
	}
	for _, list := range [][]Listener{{{sim.SchemeWSS, 1}}, {{sim.SchemeMQTTS, 1}}, {{sim.SchemeCoAP, 1}}} {
		if _, err := NATS().Files(&Setup{Bind: Loopback, Listeners: list}); err == nil {
			t.Errorf("%v: no error", list)
		}
	}
	both := Setup{Bind: Loopback, Certificate: full, Listeners: []Listener{plain, {sim.SchemeWS, 2}, {sim.SchemeWSS, 3}}}
	var lacks *sim.Lacks
	if _, err := NATS().Files(&both); !errors.As(err, &lacks) || err.Error() != `the target "nats" does not have wss:// beside ws://` {
		t.Errorf("both: %v", err)
	}
}
