package docker

import (
	"strings"
	"testing"

	"github.com/myriad-iot/myriad/sim"
)

func TestMosquittoConfiguration(t *testing.T) {
	full := Certificate{CA: []byte("ca"), Certificate: []byte("cert"), Key: []byte("key"), Mutual: true}
	const secure = "cafile /mosquitto/config/ca.pem\ncertfile /mosquitto/config/certificate.pem\nkeyfile /mosquitto/config/key.pem\nrequire_certificate "
	for _, c := range []struct {
		s    Setup
		want string
	}{
		{Setup{Bind: "127.0.0.1", Listeners: []Listener{{sim.SchemeMQTT, 20001}}}, "\nlistener 20001 127.0.0.1\n"},
		{Setup{Bind: "0.0.0.0", Listeners: []Listener{{sim.SchemeMQTT, 20001}}}, "\nlistener 20001 0.0.0.0\n"},
		{Setup{Bind: "127.0.0.1", Listeners: []Listener{{sim.SchemeMQTT, 1}, {sim.SchemeWS, 2}}},
			"\nlistener 1 127.0.0.1\n\nlistener 2 lo\nprotocol websockets\n"},
		{Setup{Bind: "0.0.0.0", Listeners: []Listener{{sim.SchemeMQTT, 1}, {sim.SchemeWS, 2}}},
			"\nlistener 1 0.0.0.0\n\nlistener 2 0.0.0.0\nprotocol websockets\n"},
		{Setup{Bind: "127.0.0.1", Certificate: full,
			Listeners: []Listener{{sim.SchemeMQTT, 1}, {sim.SchemeWSS, 2}, {sim.SchemeMQTTS, 3}}},
			"\nlistener 1 127.0.0.1\n\nlistener 2 lo\nprotocol websockets\n" + secure + "true\n" +
				"\nlistener 3 127.0.0.1\n" + secure + "true\n"},
	} {
		files, err := Mosquitto().Files(&c.s)
		if conf := files[mosquittoConfig]; err != nil || string(conf) != string(mosquittoConf)+c.want {
			t.Errorf("%v; want the file and %q, got:\n%s", err, c.want, conf)
		}
		if secured := strings.Contains(c.want, secure); secured != (string(files[mosquittoKey]) == "key") {
			t.Errorf("files %q", files)
		}
	}
	for _, scheme := range []sim.Scheme{sim.SchemeMQTTS, sim.SchemeCoAP} {
		if _, err := Mosquitto().Files(&Setup{Listeners: []Listener{{scheme, 1}}}); err == nil {
			t.Errorf("%s: no error", scheme)
		}
	}
	if strings.Contains(string(mosquittoConf), "\nlistener ") {
		t.Error("mosquitto.conf has a listener of its own")
	}
}
