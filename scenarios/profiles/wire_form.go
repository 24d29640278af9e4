package profiles

import "github.com/invopop/jsonschema"

// These forms are the settings of a fleet's sessions besides the protocol: see sim.Binding.

type securityForm struct {
	Credential string   `json:"credential,omitempty" jsonschema:"enum=certificate,enum=psk,description=What each device authenticates with; psk needs DTLS"`
	CA         string   `json:"ca,omitempty" jsonschema:"description=PEM file of the root certificates that check the peer; the default is the CA of the run"`
	ServerName string   `json:"server_name,omitempty" jsonschema:"description=The name that the peer's certificate must have; the default is the host of the endpoint"`
	TLS        string   `json:"tls,omitempty" jsonschema:"enum=1.2,enum=1.3,description=Only this version"`
	Resume     flagForm `json:"resume,omitempty" jsonschema:"description=Resume sessions if the peer allows it"`
	CID        flagForm `json:"cid,omitempty" jsonschema:"description=Use a DTLS Connection ID if the peer allows it"`
	Username   string   `json:"username,omitempty" jsonschema:"description=MQTT; with {id} and {fleet}"`
	Password   string   `json:"password,omitempty" jsonschema:"description=MQTT; ${NAME} of the environment\\, or file:path\\, or the text itself; with {id} and {fleet}"`
}

type mqttForm struct {
	KeepAlive    durationForm       `json:"keep_alive,omitempty" jsonschema:"description=Keep Alive: whole seconds up to 65535s; the default is 60s and 0s turns it off"`
	Inflight     countForm          `json:"inflight,omitempty" jsonschema:"description=The largest number of unanswered publishes; the default is 20"`
	Retain       flagForm           `json:"retain,omitempty" jsonschema:"description=Reports are retained"`
	Will         *willForm          `json:"will,omitempty" jsonschema:"description=The message that the broker publishes when a device disappears without a DISCONNECT"`
	Subscribe    []subscriptionForm `json:"subscribe,omitempty" jsonschema:"description=What each device listens to"`
	TopicAliases countForm          `json:"topic_aliases,omitempty" jsonschema:"description=MQTT 5: the largest number of topic aliases; up to 65535"`
	PingsUnheard durationForm       `json:"pings_unheard,omitempty" jsonschema:"description=A PINGREQ also when nothing has come for so long; the default is none"`
	AnswerWithin durationForm       `json:"answer_within,omitempty" jsonschema:"description=A broker that owes an answer and says nothing for so long is gone; the default is to wait for a PINGRESP only"`
	MaxPacket    countForm          `json:"max_packet,omitempty" jsonschema:"description=The largest packet that a device takes, in bytes; the default is 65536"`
}

type willForm struct {
	Topic   string       `json:"topic" jsonschema:"description=With {id} and {fleet}"`
	Payload string       `json:"payload,omitempty" jsonschema:"description=With {id} and {fleet}"`
	QoS     levelForm    `json:"qos,omitempty" jsonschema:"description=the default is 1"`
	Retain  flagForm     `json:"retain,omitempty"`
	Delay   durationForm `json:"delay,omitempty" jsonschema:"description=MQTT 5: how long the broker waits"`
}

type subscriptionForm struct {
	Filter string    `json:"filter" jsonschema:"description=With {id} and {fleet}; $share/group/filter is a shared subscription"`
	QoS    levelForm `json:"qos,omitempty" jsonschema:"description=the default is 1"`
}

type coapForm struct {
	AckTimeout    durationForm `json:"ack_timeout,omitempty" jsonschema:"description=ACK_TIMEOUT; the default is 2s"`
	RandomFactor  float64      `json:"random_factor,omitempty" jsonschema:"minimum=1,description=ACK_RANDOM_FACTOR; the default is 1.5"`
	MaxRetransmit countForm    `json:"max_retransmit,omitempty" jsonschema:"description=MAX_RETRANSMIT; the default is 4"`
	NStart        countForm    `json:"nstart,omitempty" jsonschema:"description=NSTART; the default is 1"`
	Method        string       `json:"method,omitempty" jsonschema:"enum=POST,enum=PUT,enum=FETCH,enum=PATCH,enum=iPATCH,description=The method of reports; the default is POST"`
	BlockSize     countForm    `json:"block_size,omitempty" jsonschema:"description=16 to 1024 and a power of two: longer payloads are sent in blocks of this size"`
	Observe       []string     `json:"observe,omitempty" jsonschema:"description=Paths that each device observes; with {id} and {fleet}"`
	TokenSize     countForm    `json:"token_size,omitempty" jsonschema:"description=Bytes; the default is 8"`
}

type commandsForm struct {
	Topic string    `json:"topic" jsonschema:"description=Where a device receives commands: MQTT topic or CoAP path; with {id}"`
	Reply string    `json:"reply" jsonschema:"description=Where it answers"`
	QoS   levelForm `json:"qos,omitempty" jsonschema:"description=Of both directions; the default is 1"`
}

type (
	flagForm  bool
	levelForm string
)

// JSONSchema lists the levels of MQTT.
func (levelForm) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Enum: []any{0, 1, 2, "QoS 0", "QoS 1", "QoS 2"}}
}
