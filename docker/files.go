package docker

import "embed"

// Files are the folders of the services, and build-local beside them, which makes images of them.
//
//go:embed build-local mosquitto nats ejabberd rabbitmq haproxy prometheus
var Files embed.FS
