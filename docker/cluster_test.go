package docker

import (
	"strings"
	"testing"

	"github.com/myriad-iot/myriad/sim"
)

var three = []Peer{
	{"broker-1", "10.9.0.11", []Listener{{sim.SchemeMQTT, 101}, {sim.SchemeMQTTS, 102}}},
	{"broker-2", "10.9.0.12", []Listener{{sim.SchemeMQTT, 201}, {sim.SchemeMQTTS, 202}}},
	{"broker-3", "10.9.0.13", []Listener{{sim.SchemeMQTT, 301}, {sim.SchemeMQTTS, 302}}},
}

func TestCluster(t *testing.T) {
	list := Cluster(RabbitMQ(), 3)
	var names []string
	for i := range list {
		names = append(names, list[i].Service.Name)
		if want := (i + 1) % 4; list[i].Node != want {
			t.Errorf("%s is node %d", list[i].Service.Name, list[i].Node)
		}
	}
	if got := strings.Join(names, ", "); got != "broker 1, broker 2, broker 3, balancer" || HostName(2) != "broker-2" {
		t.Errorf("%s; %s", got, HostName(2))
	}
}

func TestRabbitMQCluster(t *testing.T) {
	s := Setup{Bind: "0.0.0.0", Private: []int{8, 9}, Listeners: three[1].Listeners[:1], Peers: three, Self: 2, Cookie: "SECRET",
		Settings: []sim.Setting{{Name: "mqtt.durable_queue_type", Value: "quorum"}}}
	files, err := RabbitMQ().Files(&s)
	if err != nil {
		t.Fatal(err)
	}
	const want = "mqtt.durable_queue_type = quorum\nmqtt.listeners.tcp.1 = 0.0.0.0:201\n" +
		"cluster_formation.peer_discovery_backend = classic_config\ncluster_formation.target_cluster_size_hint = 3\n" +
		"cluster_formation.classic_config.nodes.1 = myriad@broker-1\ncluster_formation.classic_config.nodes.2 = myriad@broker-2\n" +
		"cluster_formation.classic_config.nodes.3 = myriad@broker-3\n"
	if conf := string(files[rabbitConfig]); conf != string(rabbitConf)+want {
		t.Errorf("want the file and\n%s, got\n%s", want, conf)
	}
	start := string(files[rabbitStart])
	for _, part := range []string{"printf %s SECRET >", "RABBITMQ_NODENAME=myriad@broker-2 ", "exec rabbitmq-server\n"} {
		if !strings.Contains(start, part) {
			t.Errorf("%q is not in how it starts:\n%s", part, start)
		}
	}
	for _, part := range []string{Loopback, "127,0,0,1", "DIST_PORT"} { // it is seen by the others
		if strings.Contains(start, part) {
			t.Errorf("%q is in how it starts:\n%s", part, start)
		}
	}
	if strings.Contains(string(files[rabbitConfig]), "SECRET") {
		t.Error("the cookie is where it says nothing")
	}
	s.Self = 1
	if files, err = RabbitMQ().Files(&s); err != nil || strings.Contains(string(files[rabbitConfig]), "cluster_formation") {
		t.Errorf("the first waits for others: %v\n%s", err, files[rabbitConfig])
	}
}

func TestNATSCluster(t *testing.T) {
	s := Setup{Bind: "0.0.0.0", Listeners: three[2].Listeners[:1], Peers: three, Self: 3, Cookie: "SECRET"}
	files, err := NATS().Files(&s)
	if err != nil {
		t.Fatal(err)
	}
	conf := string(files[natsConfig])
	for _, part := range []string{
		"\nserver_name: broker-3\n", "stream_replicas: 3 }",
		`cluster { name: myriad, listen: "0.0.0.0:6222", authorization { user: node, password: "SECRET" }, routes: ["nats://node:SECRET@broker-1:6222", ` +
			`"nats://node:SECRET@broker-2:6222", "nats://node:SECRET@broker-3:6222"] }`,
	} {
		if !strings.Contains(conf, part) {
			t.Errorf("%q is not in\n%s", part, conf)
		}
	}
	s.Peers = three[:2]
	s.Self = 1
	if files, err = NATS().Files(&s); err != nil || !strings.Contains(string(files[natsConfig]), "stream_replicas: 2 }") {
		t.Errorf("of two nodes: %v\n%s", err, files[natsConfig])
	}
	if files, err = NATS().Files(&Setup{Bind: Loopback, Listeners: s.Listeners}); err != nil || strings.Contains(string(files[natsConfig]), "replicas") ||
		!strings.Contains(string(files[natsConfig]), "\nserver_name: myriad\n") {
		t.Errorf("alone: %v\n%s", err, files[natsConfig])
	}
}

func TestHAProxyConfiguration(t *testing.T) {
	s := Setup{Bind: Loopback, Listeners: []Listener{{sim.SchemeMQTT, 7}, {sim.SchemeMQTTS, 8}}, Peers: three}
	files, err := HAProxy().Files(&s)
	const want = `
listen mqtt
    bind 127.0.0.1:7
    server broker-1 10.9.0.11:101 port 101
    server broker-2 10.9.0.12:201 port 201
    server broker-3 10.9.0.13:301 port 301

listen mqtts
    bind 127.0.0.1:8
    server broker-1 10.9.0.11:102 port 101
    server broker-2 10.9.0.12:202 port 201
    server broker-3 10.9.0.13:302 port 301
`
	if conf := string(files[haproxyConfig]); err != nil || conf != string(haproxyConf)+want {
		t.Errorf("%v; want the file and %s, got:\n%s", err, want, conf)
	}
	for _, s := range []Setup{
		{Listeners: []Listener{{sim.SchemeMQTT, 7}}},
		{Listeners: []Listener{{sim.SchemeWS, 7}}, Peers: three},
	} {
		if _, err := HAProxy().Files(&s); err == nil {
			t.Errorf("%+v: no error", s)
		}
	}
}
