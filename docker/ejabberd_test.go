package docker

import (
	"strings"
	"testing"

	"github.com/myriad-iot/myriad/sim"
)

func TestEjabberdConfiguration(t *testing.T) {
	full := Certificate{CA: []byte("ca"), Certificate: []byte("cert,"), Key: []byte("key"), Mutual: true}
	plain, private := Listener{sim.SchemeMQTT, 1}, []int{9}
	const mqtt = "\nlisten:\n  - ip: \"127.0.0.1\"\n    port: 1\n    backlog: 4096\n    module: mod_mqtt\n"
	for _, c := range []struct {
		s    Setup
		want string
	}{
		{Setup{Bind: Loopback, Listeners: []Listener{plain}}, mqtt},
		{Setup{Bind: "0.0.0.0", Listeners: []Listener{plain}}, strings.Replace(mqtt, Loopback, "0.0.0.0", 1)},
		{Setup{Bind: Loopback, Listeners: []Listener{plain, {sim.SchemeWS, 2}}},
			mqtt + "  - ip: \"127.0.0.1\"\n    port: 2\n    backlog: 4096\n    module: ejabberd_http\n    request_handlers:\n      /mqtt: mod_mqtt\n"},
		{Setup{Bind: Loopback, Certificate: full, Listeners: []Listener{plain, {sim.SchemeMQTTS, 2}}},
			mqtt + "  - ip: \"127.0.0.1\"\n    port: 2\n    backlog: 4096\n    module: mod_mqtt\n    tls: true\n    tls_verify: true\n" +
				"certfiles: [\"/ejabberd/conf/server.pem\"]\nca_file: \"/ejabberd/conf/ca.pem\"\n"},
	} {
		c.s.Private = private
		files, err := Ejabberd().Files(&c.s)
		if conf := string(files[ejabberdConfig]); err != nil || conf != string(ejabberdConf)+c.want {
			t.Errorf("%v; want the file and %q, got:\n%s", err, c.want, conf)
		}
		if ctl := string(files[ejabberdCtl]); !strings.Contains(ctl, "ERL_DIST_PORT=9\n") || len(files[ejabberdStart]) == 0 {
			t.Errorf("it starts with %q and %q", ctl, files[ejabberdStart])
		}
		if secured := strings.Contains(c.want, "certfiles"); secured != (string(files[ejabberdServer]) == "cert,key") {
			t.Errorf("files %q", files)
		}
	}
	for _, s := range []Setup{
		{Private: private, Listeners: []Listener{{sim.SchemeMQTTS, 1}}},
		{Private: private, Listeners: []Listener{{sim.SchemeWSS, 1}}},
		{Listeners: []Listener{plain}},
	} {
		if _, err := Ejabberd().Files(&s); err == nil {
			t.Errorf("%+v: no error", s)
		}
	}
}
