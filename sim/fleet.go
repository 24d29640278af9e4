package sim

import (
	"fmt"
	"strconv"
	"strings"
)

// Ordinal is a device's number in its fleet, from 0. Identity, random stream and every intended
// instant of a device follow from (seed, fleet, ordinal).
type Ordinal uint32

// Fleet is a number of devices of one model.
type Fleet struct {
	Name     string    `json:"name"`
	Count    int       `json:"count"`
	Model    Model     `json:"model"`
	Bindings []Binding `json:"bindings"`
	Report   Reporting `json:"report"`
	Origin   string    `json:"origin,omitempty"`
}

// DeviceID is the identity of a device, "<fleet>-<ordinal>": its MQTT client identifier and the
// {id} of topics and payloads.
func (f *Fleet) DeviceID(o Ordinal) string { return f.Name + "-" + strconv.FormatUint(uint64(o), 10) }

// Data returns the binding that carries telemetry. It panics if there is none: the compiler gives
// every fleet one.
func (f *Fleet) Data() *Binding {
	for i := range f.Bindings {
		if f.Bindings[i].Role == RoleData {
			return &f.Bindings[i]
		}
	}
	panic(fmt.Sprintf("fleet %q has no data binding", f.Name))
}

// Topic is the MQTT topic name, or CoAP path, that the device reports to.
func (f *Fleet) Topic(o Ordinal) string {
	return strings.NewReplacer("{id}", f.DeviceID(o), "{fleet}", f.Name).Replace(f.Report.Topic)
}

// Filter is the MQTT topic filter that covers the topics of all devices of the fleet.
func (f *Fleet) Filter() string {
	levels := strings.Split(strings.ReplaceAll(f.Report.Topic, "{fleet}", f.Name), "/")
	for i, l := range levels {
		if strings.Contains(l, "{") {
			levels[i] = "+"
		}
	}
	return strings.Join(levels, "/")
}

// Rate is the nominal publish rate of the whole fleet in messages a second, 0 if it is silent.
func (f *Fleet) Rate() float64 {
	if f.Report.Every <= 0 {
		return 0
	}
	return float64(f.Count) / f.Report.Every.D().Seconds()
}

// Reporting is when and where a device reports. Every 0 means it never does.
type Reporting struct {
	Topic  string   `json:"topic,omitempty"` // placeholders {id} and {fleet}
	Every  Duration `json:"every,omitempty"`
	Jitter float64  `json:"jitter,omitempty"` // 0..1: each due instant moves by up to +-Jitter/2*Every
}

// Role is what a binding is for.
type Role string

// RoleData carries telemetry. The other roles of the design arrive with the acts that need them.
const RoleData Role = "data"

// Channel is a protocol's mechanics.
type Channel string

// The channels.
const (
	ChannelMQTT Channel = "mqtt"
	ChannelCoAP Channel = "coap"
)

// Binding ties a role to a channel and says how it is used there. Zero values mean the defaults
// given with each field.
type Binding struct {
	Role    Role    `json:"role"`
	Channel Channel `json:"channel"`
	Version string  `json:"version,omitempty"` // MQTT: "3.1.1" (default) or "5"
	Dialect string  `json:"dialect"`           // "plain"
	QoS     byte    `json:"qos"`               // MQTT 0 or 1; CoAP: 0 is NON, 1 is CON

	KeepAlive      Duration `json:"keep_alive,omitempty"`      // MQTT; default 60s
	Session        Duration `json:"session,omitempty"`         // MQTT: kept that long after a disconnect; 0 is a clean session
	ConnectTimeout Duration `json:"connect_timeout,omitempty"` // default 10s, until CONNACK or the CoAP pong
	Inflight       int      `json:"inflight,omitempty"`        // MQTT: unacknowledged publishes at a time; default 20
	Retry          Retry    `json:"retry"`
	CoAP           CoAP     `json:"coap,omitzero"`
}

// CoAP holds the transmission parameters of RFC 7252 section 4.8. Zero values mean its defaults:
// ACK_TIMEOUT 2s, ACK_RANDOM_FACTOR 1.5, MAX_RETRANSMIT 4, NSTART 1.
type CoAP struct {
	AckTimeout    Duration `json:"ack_timeout,omitempty"`
	RandomFactor  float64  `json:"random_factor,omitempty"` // at least 1
	MaxRetransmit *int     `json:"max_retransmit,omitempty"`
	NStart        int      `json:"nstart,omitempty"`
}
