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
func (f *Fleet) Topic(o Ordinal) string { return f.Expand(f.Report.Topic, o) }

// Expand puts the device's names in the place of {id} and {fleet}.
func (f *Fleet) Expand(text string, o Ordinal) string {
	if !strings.Contains(text, "{") {
		return text
	}
	return strings.NewReplacer("{id}", f.DeviceID(o), "{fleet}", f.Name).Replace(text)
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
// given with each field. In text fields {id} and {fleet} stand for the names.
type Binding struct {
	Role      Role      `json:"role"`
	Channel   Channel   `json:"channel"`
	Transport Transport `json:"transport,omitempty"` // what carries the channel; default TransportPlain
	Version   string    `json:"version,omitempty"`   // MQTT: "3.1.1" (default) or "5"
	Dialect   string    `json:"dialect"`             // "plain"
	Client    Client    `json:"client,omitempty"`    // whose session machinery; default Myriad's own
	QoS       byte      `json:"qos"`                 // MQTT 0, 1 or 2; CoAP: 0 is NON, 1 is CON

	KeepAlive      Duration `json:"keep_alive,omitempty"`      // MQTT, and CoAP over TCP; default 60s
	Session        Duration `json:"session,omitempty"`         // MQTT: kept that long after a disconnect; 0 is a clean session
	ConnectTimeout Duration `json:"connect_timeout,omitempty"` // default 10s, until CONNACK or the CoAP pong
	Inflight       int      `json:"inflight,omitempty"`        // MQTT: unacknowledged publishes at a time; default 20
	Retry          Retry    `json:"retry"`
	Security       Security `json:"security,omitzero"`
	MQTT           MQTT     `json:"mqtt,omitzero"`
	CoAP           CoAP     `json:"coap,omitzero"`
	Commands       Commands `json:"commands,omitzero"`
}

// Scheme is that of the endpoints which the binding dials.
func (b *Binding) Scheme() Scheme { return SchemeOf(b.Channel, b.Transport) }

// Client is whose session machinery a fleet runs on. The libraries are specimens: what a real one
// does under stress, at its own cost in memory and goroutines.
type Client string

// The clients.
const (
	ClientOwn        Client = ""            // Myriad's own
	ClientPaho       Client = "paho"        // eclipse/paho.mqtt.golang, MQTT 3.1.1
	ClientPahoGolang Client = "paho.golang" // eclipse/paho.golang, MQTT 5
	ClientGoCoAP     Client = "go-coap"     // plgd-dev/go-coap/v3
)

// Security is how a device and its peer prove who they are.
type Security struct {
	Credential Credential `json:"credential,omitempty"`
	CA         string     `json:"ca,omitempty"`          // PEM file of the roots that the peer is checked against; empty: the run's own CA
	ServerName string     `json:"server_name,omitempty"` // that the peer's certificate must have; empty: the endpoint's host
	TLS        string     `json:"tls,omitempty"`         // "1.2" or "1.3": only that version; empty: the best that both know
	Resume     bool       `json:"resume,omitempty"`      // sessions are resumed, where the peer agrees
	CID        bool       `json:"cid,omitempty"`         // DTLS: Connection ID (RFC 9146), where the peer agrees
	Username   string     `json:"username,omitempty"`    // MQTT
	Password   string     `json:"password,omitempty"`    // MQTT
}

// Credential is what a device shows beside a user name.
type Credential string

// The credentials. Each device's own follows from (seed, fleet, ordinal): see sim/identity.
const (
	CredentialNone        Credential = ""            // only the peer proves itself
	CredentialCertificate Credential = "certificate" // X.509, signed by the run's CA
	CredentialPSK         Credential = "psk"         // DTLS pre-shared key
)

// MQTT holds what only MQTT has.
type MQTT struct {
	Retain       bool           `json:"retain,omitempty"`        // reports are retained
	Will         *Will          `json:"will,omitempty"`          // nil: none
	Subscribe    []Subscription `json:"subscribe,omitempty"`     // what the device listens to, beside its commands
	TopicAliases int            `json:"topic_aliases,omitempty"` // version 5: used up to so many, and to the server's maximum
}

// Will is the message that the broker publishes when a device goes without a goodbye.
type Will struct {
	Topic   string   `json:"topic"`
	Payload string   `json:"payload,omitempty"`
	QoS     byte     `json:"qos,omitempty"`
	Retain  bool     `json:"retain,omitempty"`
	Delay   Duration `json:"delay,omitempty"` // version 5: Will Delay Interval
}

// Subscription is a topic filter that a device subscribes to; "$share/<group>/<filter>" shares it.
type Subscription struct {
	Filter string `json:"filter"`
	QoS    byte   `json:"qos,omitempty"`
}

// Commands say where a device is told what to do, and where it answers. The zero value is a device
// that takes none.
type Commands struct {
	Topic string `json:"topic,omitempty"` // MQTT topic filter; CoAP path that the device observes
	Reply string `json:"reply,omitempty"` // MQTT topic name; CoAP path
	QoS   byte   `json:"qos,omitempty"`   // of both directions
}

// CoAP holds the transmission parameters of RFC 7252 section 4.8. Zero values mean its defaults:
// ACK_TIMEOUT 2s, ACK_RANDOM_FACTOR 1.5, MAX_RETRANSMIT 4, NSTART 1.
type CoAP struct {
	AckTimeout    Duration `json:"ack_timeout,omitempty"`
	RandomFactor  float64  `json:"random_factor,omitempty"` // at least 1
	MaxRetransmit *int     `json:"max_retransmit,omitempty"`
	NStart        int      `json:"nstart,omitempty"`

	Method    string   `json:"method,omitempty"`     // of reports: POST (default), PUT, FETCH, PATCH or iPATCH
	BlockSize int      `json:"block_size,omitempty"` // 16 to 1024: longer payloads travel in blocks (RFC 7959) of that size; 0: of 1024
	Observe   []string `json:"observe,omitempty"`    // paths that the device observes (RFC 7641), beside its commands
	TokenSize int      `json:"token_size,omitempty"` // bytes; default 8, above it extended (RFC 8974)
}
