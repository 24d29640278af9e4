package profiles

import "github.com/invopop/jsonschema"

// These forms are of what a fleet's sessions have beside their protocol: see sim.Binding.

type securityForm struct {
	Credential string   `json:"credential,omitempty" jsonschema:"enum=certificate,enum=psk,description=What each device shows; psk needs DTLS"`
	CA         string   `json:"ca,omitempty" jsonschema:"description=PEM file of the roots that the peer is checked against; the run's own CA if it is not said"`
	ServerName string   `json:"server_name,omitempty" jsonschema:"description=The name that the peer's certificate must have; the endpoint's host if it is not said"`
	TLS        string   `json:"tls,omitempty" jsonschema:"enum=1.2,enum=1.3,description=Only this version"`
	Resume     flagForm `json:"resume,omitempty" jsonschema:"description=Sessions are resumed where the peer agrees"`
	CID        flagForm `json:"cid,omitempty" jsonschema:"description=DTLS Connection ID where the peer agrees"`
	Username   string   `json:"username,omitempty" jsonschema:"description=MQTT; with {id} and {fleet}"`
	Password   string   `json:"password,omitempty" jsonschema:"description=MQTT; with {id} and {fleet}"`
}

type mqttForm struct {
	KeepAlive    durationForm       `json:"keep_alive,omitempty" jsonschema:"description=Keep Alive: whole seconds up to 65535s; 60s if it is not said"`
	Inflight     countForm          `json:"inflight,omitempty" jsonschema:"description=Unanswered publishes at a time; 20 if it is not said"`
	Retain       flagForm           `json:"retain,omitempty" jsonschema:"description=Reports are retained"`
	Will         *willForm          `json:"will,omitempty" jsonschema:"description=The message that the broker publishes when a device goes without a goodbye"`
	Subscribe    []subscriptionForm `json:"subscribe,omitempty" jsonschema:"description=What each device listens to"`
	TopicAliases countForm          `json:"topic_aliases,omitempty" jsonschema:"description=MQTT 5: how many at most; up to 65535"`
}

type willForm struct {
	Topic   string       `json:"topic" jsonschema:"description=With {id} and {fleet}"`
	Payload string       `json:"payload,omitempty" jsonschema:"description=With {id} and {fleet}"`
	QoS     levelForm    `json:"qos,omitempty" jsonschema:"description=1 if it is not said"`
	Retain  flagForm     `json:"retain,omitempty"`
	Delay   durationForm `json:"delay,omitempty" jsonschema:"description=MQTT 5: how long the broker waits"`
}

type subscriptionForm struct {
	Filter string    `json:"filter" jsonschema:"description=With {id} and {fleet}; $share/group/filter shares it"`
	QoS    levelForm `json:"qos,omitempty" jsonschema:"description=1 if it is not said"`
}

type coapForm struct {
	AckTimeout    durationForm `json:"ack_timeout,omitempty" jsonschema:"description=ACK_TIMEOUT; 2s if it is not said"`
	RandomFactor  float64      `json:"random_factor,omitempty" jsonschema:"minimum=1,description=ACK_RANDOM_FACTOR; 1.5 if it is not said"`
	MaxRetransmit countForm    `json:"max_retransmit,omitempty" jsonschema:"description=MAX_RETRANSMIT; 4 if it is not said"`
	NStart        countForm    `json:"nstart,omitempty" jsonschema:"description=NSTART; 1 if it is not said"`
	Method        string       `json:"method,omitempty" jsonschema:"enum=POST,enum=PUT,enum=FETCH,enum=PATCH,enum=iPATCH,description=Of reports; POST if it is not said"`
	BlockSize     countForm    `json:"block_size,omitempty" jsonschema:"description=16 to 1024 and a power of two: longer payloads travel in blocks"`
	Observe       []string     `json:"observe,omitempty" jsonschema:"description=Paths that each device observes; with {id} and {fleet}"`
	TokenSize     countForm    `json:"token_size,omitempty" jsonschema:"description=Bytes; 8 if it is not said"`
}

type commandsForm struct {
	Topic string    `json:"topic" jsonschema:"description=Where a device is told what to do: MQTT topic or CoAP path; with {id}"`
	Reply string    `json:"reply" jsonschema:"description=Where it answers"`
	QoS   levelForm `json:"qos,omitempty" jsonschema:"description=Of both directions; 1 if it is not said"`
}

type (
	flagForm  bool
	levelForm string
)

// JSONSchema lists the levels of MQTT.
func (levelForm) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Enum: []any{0, 1, 2, "QoS 0", "QoS 1", "QoS 2"}}
}
