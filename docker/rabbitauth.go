package docker

import (
	"slices"
	"strings"

	"github.com/myriad-iot/myriad/sim"
)

// Settings of RabbitMQ's plugins that ask who may connect, and that keep the answers.
const (
	rabbitHTTP     = "auth_http."
	rabbitCache    = "auth_cache."
	rabbitCacheTTL = rabbitCache + "cache_ttl" // milliseconds
)

// rabbitAsks lets RabbitMQ ask a service over HTTP, by its plugin rabbitmq_auth_backend_http: POST to user, vhost, resource
// and topic, and the answer is allow or deny. Nobody else is asked, and who gives no name is let in no more.
//
// By itself RabbitMQ 3.10 keeps an answer about a topic until the process of the connection has been idle for about a second
// (it hibernates then, and forgets): a device that sends now and then is asked about each time, and is cut off when there is
// no answer. A story that sets how long answers are kept gets the plugin that keeps them.
func rabbitAsks(url string, settings []sim.Setting) []sim.Setting {
	first := "http"
	list := slices.Clone(settings)
	if sets(settings, rabbitCacheTTL) {
		first = "cache"
		list = append(list, sim.Setting{Name: rabbitCache + "cached_backend", Value: "http"})
	}
	list = append(list,
		sim.Setting{Name: "mqtt.allow_anonymous", Value: "false"},
		sim.Setting{Name: "auth_backends.1", Value: first},
		sim.Setting{Name: rabbitHTTP + "http_method", Value: "post"})
	for _, what := range []string{"user", "vhost", "resource", "topic"} {
		list = append(list, sim.Setting{Name: rabbitHTTP + what + "_path", Value: url + "/" + what})
	}
	return list
}

// rabbitAuthPlugins are those that must be there: RabbitMQ does not start with settings of others.
func rabbitAuthPlugins(s *Setup) string {
	plugins := ""
	if s.Auth != "" || sets(s.Settings, rabbitHTTP) {
		plugins += ", rabbitmq_auth_backend_http"
	}
	if sets(s.Settings, rabbitCache) {
		plugins += ", rabbitmq_auth_backend_cache"
	}
	return plugins
}

// sets reports whether there is a setting whose name begins so.
func sets(settings []sim.Setting, prefix string) bool {
	return slices.ContainsFunc(settings, func(s sim.Setting) bool { return strings.HasPrefix(s.Name, prefix) })
}
