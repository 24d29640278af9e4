package docker

import (
	"strings"
	"testing"

	"github.com/myriad-iot/myriad/sim"
)

// A broker that asks a service asks nobody else, and has the plugins that its settings need and no others.
func TestRabbitMQAsks(t *testing.T) {
	setup := Setup{Bind: Loopback, Listeners: []Listener{{sim.SchemeMQTT, 1}}, Private: []int{8, 9}}
	for name, tt := range map[string]struct {
		auth     string
		settings []sim.Setting
		plugins  string
		has, not []string
	}{
		"nobody": {"", nil, "[rabbitmq_mqtt].\n", []string{"mqtt.allow_anonymous = true"}, []string{"auth_"}},
		"a service": {"http://127.0.0.1:7", nil, "[rabbitmq_mqtt, rabbitmq_auth_backend_http].\n", []string{
			"mqtt.allow_anonymous = false", "auth_backends.1 = http", "auth_http.http_method = post", "auth_http.user_path = http://127.0.0.1:7/user",
			"auth_http.vhost_path = http://127.0.0.1:7/vhost", "auth_http.resource_path = http://127.0.0.1:7/resource", "auth_http.topic_path = http://127.0.0.1:7/topic",
		}, []string{"auth_cache", "auth_backends.2", "mqtt.allow_anonymous = true"}},
		"a service, and keeps the answers": {"http://127.0.0.1:7", []sim.Setting{{Name: "auth_cache.cache_ttl", Value: "60000"}},
			"[rabbitmq_mqtt, rabbitmq_auth_backend_http, rabbitmq_auth_backend_cache].\n",
			[]string{"auth_backends.1 = cache", "auth_cache.cached_backend = http", "auth_cache.cache_ttl = 60000", "auth_http.topic_path = http://127.0.0.1:7/topic"}, nil},
		"settings alone": {"", []sim.Setting{{Name: "auth_http.request_timeout", Value: "5000"}},
			"[rabbitmq_mqtt, rabbitmq_auth_backend_http].\n", []string{"auth_http.request_timeout = 5000", "mqtt.allow_anonymous = true"}, []string{"auth_backends"}},
	} {
		t.Run(name, func(t *testing.T) {
			setup.Auth, setup.Settings = tt.auth, tt.settings
			files, err := RabbitMQ().Files(&setup)
			if err != nil {
				t.Fatal(err)
			}
			conf := string(files[rabbitConfig])
			for _, line := range tt.has {
				if strings.Count(conf, "\n"+line+"\n") != 1 {
					t.Errorf("%q is not there once:\n%s", line, conf)
				}
			}
			for _, part := range tt.not {
				if strings.Contains(conf, part) {
					t.Errorf("%q is in\n%s", part, conf)
				}
			}
			if got := string(files[rabbitPlugins]); got != tt.plugins {
				t.Errorf("plugins %q", got)
			}
		})
	}
}
