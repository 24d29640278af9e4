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
	Skills   []Skill   `json:"skills,omitempty"` // at most MaxStreams streams: see Streams

	Link *Conditions `json:"link,omitempty"` // of the devices to their endpoints, on every line; nil is clear
	NAT  *NAT        `json:"nat,omitempty"`  // between those links and the endpoints; nil is none

	Copies *Copies `json:"copies,omitempty"` // whose identities the devices show; nil: each has its own

	Origin string `json:"origin,omitempty"`
}

// DeviceID is the identity of a device, "<fleet>-<ordinal>": its MQTT client identifier and the
// {id} of topics and payloads. Of a copy it is "copy of <fleet>-<ordinal>": reports have to tell it from the device.
func (f *Fleet) DeviceID(o Ordinal) string {
	if f.Copies != nil {
		return "copy of " + f.Copies.name(o)
	}
	return f.Name + "-" + strconv.FormatUint(uint64(o), 10)
}

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

// Expand puts the device's names in the place of {id} and {fleet}.
func (f *Fleet) Expand(text string, o Ordinal) string {
	before, rest, found := strings.Cut(text, "{")
	if !found {
		return text
	}
	id := f.DeviceID(o)
	var b strings.Builder // a strings.Replacer would take a kilobyte for each device
	b.Grow(len(text) + len(id) - len("{id}"))
	for ; found; before, rest, found = strings.Cut(rest, "{") {
		b.WriteString(before)
		if after, ok := strings.CutPrefix(rest, "id}"); ok {
			b.WriteString(id)
			rest = after
		} else if after, ok := strings.CutPrefix(rest, "fleet}"); ok {
			b.WriteString(f.Name)
			rest = after
		} else {
			b.WriteByte('{')
		}
	}
	b.WriteString(before)
	return b.String()
}

// Rate is the nominal rate of the messages that the whole fleet sends of its own accord, in messages a
// second; 0 if it is silent.
func (f *Fleet) Rate() float64 {
	rate := 0.0
	for i := range f.Skills {
		if every := f.Skills[i].Every; every > 0 {
			rate += float64(f.Count) / every.D().Seconds()
		}
	}
	return rate
}

// Datagrams reports whether the binding's messages travel by UDP, with DTLS or without.
func (b *Binding) Datagrams() bool {
	return b.Channel == ChannelCoAP && (b.Transport == TransportPlain || b.Transport == TransportDTLS)
}

// Role is what a binding is for.
type Role string

// The roles. Each may have a channel, an endpoint, a credential and a retry policy of its own.
const (
	RoleData    Role = "data"    // telemetry
	RoleControl Role = "control" // commands and configuration
	RoleEnrol   Role = "enrol"   // identity
	RoleUpdate  Role = "update"  // firmware
	RoleAttest  Role = "attest"  // evidence
)

// Channel is a protocol's mechanics.
type Channel string

// The channels.
const (
	ChannelMQTT Channel = "mqtt"
	ChannelCoAP Channel = "coap"
	ChannelHTTP Channel = "http" // only for lines that fetch
)

// Converses reports whether c has conversations, which reports and commands travel by.
func (c Channel) Converses() bool { return c == ChannelMQTT || c == ChannelCoAP }

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

	KeepAlive      Duration `json:"keep_alive,omitempty"`      // MQTT, and CoAP over TCP; default 60s, KeepAliveOff is none
	Session        Duration `json:"session,omitempty"`         // MQTT: kept that long after a disconnect; 0 is a clean session
	ConnectTimeout Duration `json:"connect_timeout,omitempty"` // default 10s, until CONNACK or the CoAP pong
	Inflight       int      `json:"inflight,omitempty"`        // MQTT: unacknowledged publishes at a time; default 20
	Retry          Retry    `json:"retry"`
	Keep           bool     `json:"keep,omitempty"`    // a line that fetches stays open between two errands; default: each has its own
	Silence        Duration `json:"silence,omitempty"` // HTTP: the longest that the peer may say nothing during a request; default 60s
	Security       Security `json:"security,omitzero"`
	MQTT           MQTT     `json:"mqtt,omitzero"`
	CoAP           CoAP     `json:"coap,omitzero"`
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
	Password   Secret     `json:"password,omitzero"`     // MQTT; with {id} and {fleet} too
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
	ClientID     string         `json:"client_id,omitempty"`     // with {id}, {fleet} and {run}; default {id}
	TopicAliases int            `json:"topic_aliases,omitempty"` // version 5: used up to so many, and to the server's maximum
	Liveness     Liveness       `json:"liveness,omitzero"`       // how it notices that the peer is gone without a word
	Lifetime     Duration       `json:"lifetime,omitempty"`      // of a token or lease that begins with each connection: the device disconnects and connects again when it is over; 0: none
	Early        float64        `json:"early,omitempty"`         // 0..1: a connection ends earlier by up to that share of Lifetime
	MaxPacket    int            `json:"max_packet,omitempty"`    // bytes of a packet that the device takes; default 65,536. Version 5 announces it, 3.1.1 throws away what is larger
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
