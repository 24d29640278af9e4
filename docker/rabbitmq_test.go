package docker

import (
	"strings"
	"testing"

	"github.com/myriad-iot/myriad/sim"
)

func TestRabbitMQConfiguration(t *testing.T) {
	full := Certificate{CA: []byte("ca"), Certificate: []byte("cert"), Key: []byte("key"), Mutual: true}
	plain, private := Listener{sim.SchemeMQTT, 1}, []int{8, 9}
	const mqtt = "mqtt.listeners.tcp.1 = 127.0.0.1:1\n"
	for _, c := range []struct {
		s             Setup
		want, plugins string
	}{
		{Setup{Bind: Loopback, Listeners: []Listener{plain}}, mqtt, "[rabbitmq_mqtt].\n"},
		{Setup{Bind: "0.0.0.0", Listeners: []Listener{plain}}, strings.Replace(mqtt, Loopback, "0.0.0.0", 1), "[rabbitmq_mqtt].\n"},
		{Setup{Bind: Loopback, Listeners: []Listener{plain}, Figures: 7},
			"prometheus.tcp.ip = 127.0.0.1\nprometheus.tcp.port = 7\n" + mqtt, "[rabbitmq_mqtt, rabbitmq_prometheus].\n"},
		{Setup{Bind: Loopback, Listeners: []Listener{plain, {sim.SchemeWS, 2}}},
			mqtt + "web_mqtt.tcp.ip = 127.0.0.1\nweb_mqtt.tcp.port = 2\nweb_mqtt.ws_path = /mqtt\n", "[rabbitmq_mqtt, rabbitmq_web_mqtt].\n"},
		{Setup{Bind: Loopback, Certificate: full, Listeners: []Listener{plain, {sim.SchemeMQTTS, 2}}},
			mqtt + "mqtt.listeners.ssl.1 = 127.0.0.1:2\nssl_options.cacertfile = /rabbitmq/ca.pem\nssl_options.certfile = /rabbitmq/certificate.pem\n" +
				"ssl_options.keyfile = /rabbitmq/key.pem\nssl_options.verify = verify_peer\nssl_options.fail_if_no_peer_cert = true\n", "[rabbitmq_mqtt].\n"},
	} {
		c.s.Private = private
		files, err := RabbitMQ().Files(&c.s)
		if conf := string(files[rabbitConfig]); err != nil || conf != string(rabbitConf)+c.want || string(files[rabbitPlugins]) != c.plugins {
			t.Errorf("%v; want the file and %q, %q, got:\n%s%s", err, c.want, c.plugins, conf, files[rabbitPlugins])
		}
		if start := string(files[rabbitStart]); !strings.Contains(start, "ERL_EPMD_PORT=8 ") || !strings.Contains(start, "RABBITMQ_DIST_PORT=9 ") {
			t.Errorf("it starts with\n%s", start)
		}
		if secured := strings.Contains(c.want, "keyfile"); secured != (string(files[rabbitKey]) == "key") {
			t.Errorf("files %q", files)
		}
	}
	for _, s := range []Setup{
		{Private: private, Listeners: []Listener{{sim.SchemeMQTTS, 1}}},
		{Private: private, Listeners: []Listener{{sim.SchemeCoAP, 1}}},
		{Listeners: []Listener{plain}},
	} {
		if _, err := RabbitMQ().Files(&s); err == nil {
			t.Errorf("%+v: no error", s)
		}
	}
}
