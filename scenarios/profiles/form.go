package profiles

import (
	"encoding/json"
	"fmt"

	"github.com/invopop/jsonschema"

	"github.com/myriad-iot/myriad/scenarios/targets"
	"github.com/myriad-iot/myriad/scenarios/words"
	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/payload"
)

// The form types describe the YAML file: the JSON Schema is made from them, and the reader takes the
// names of the fields from them.

type fileForm struct {
	Signals map[string]string     `json:"signals,omitempty" jsonschema:"description=Signals by name: each in words such as sine around 21 by 3 every 24h with noise 0.2"`
	Models  map[string]modelForm  `json:"models,omitempty" jsonschema:"description=Kinds of device by name"`
	Fleets  map[string]fleetForm  `json:"fleets,omitempty" jsonschema:"description=Fleets by name"`
	Targets map[string]targetForm `json:"targets,omitempty" jsonschema:"description=Systems under test by name"`
}

type modelForm struct {
	Signals  map[string]signalForm `json:"signals,omitempty" jsonschema:"description=What the device measures"`
	Encoding encodingForm          `json:"encoding,omitempty" jsonschema:"description=How a reading is encoded; the default is json"`
	Template string                `json:"template,omitempty" jsonschema:"description=The payload as text with {id} {seq} {time} {unix} {unixms} {stamp} and {<signal>}"`
	Buffer   *bufferForm           `json:"buffer,omitempty" jsonschema:"description=What the device keeps while it cannot send"`
}

type signalForm struct {
	Follows string `json:"follows" jsonschema:"description=A signal's name or its words"`
	Unit    string `json:"unit,omitempty" jsonschema:"description=The SenML unit: Cel; %RH; V ..."`
}

// JSONSchemaExtend allows a signal to be only a text.
func (signalForm) JSONSchemaExtend(s *jsonschema.Schema) {
	object := *s
	*s = jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Type: "string"}, &object}}
}

type encodingForm string

// JSONSchema lists the encodings.
func (encodingForm) JSONSchema() *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string"}
	for _, e := range payload.Encodings() {
		s.Enum = append(s.Enum, e)
	}
	return s
}

type brokerForm string

// JSONSchema lists the brokers.
func (brokerForm) JSONSchema() *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string"}
	for _, name := range targets.Brokers() {
		s.Enum = append(s.Enum, name)
	}
	return s
}

type bufferForm struct {
	Messages countForm `json:"messages" jsonschema:"description=How many messages fit; 0 keeps none"`
	Drop     string    `json:"drop,omitempty" jsonschema:"enum=oldest,enum=newest,description=What a full buffer drops; the default is the oldest"`
	Durable  flagForm  `json:"durable,omitempty" jsonschema:"description=Messages outlive a loss of power"`
}

type fleetForm struct {
	Count    countForm    `json:"count" jsonschema:"description=How many devices"`
	Model    string       `json:"model" jsonschema:"description=A model of this file or a built-in one"`
	Protocol protocolForm `json:"protocol,omitempty"`
	QoS      qosForm      `json:"qos,omitempty" jsonschema:"description=0 to 2; for CoAP CON or 1 and NON or 0"`
	Every    durationForm `json:"every,omitempty" jsonschema:"description=The time between two reports of a device"`
	Topic    string       `json:"topic,omitempty" jsonschema:"description=The MQTT topic or CoAP path with {id} and {fleet}"`
	Jitter   percentForm  `json:"jitter,omitempty" jsonschema:"description=The share of the interval by which reports vary at random"`
	Session  durationForm `json:"session,omitempty" jsonschema:"description=How long the broker keeps the session; 0s is a clean session"`
	Retry    retryForm    `json:"retry,omitzero" jsonschema:"description=How the devices reconnect: a policy's name or a backoff"`

	Client   string        `json:"client,omitempty" jsonschema:"enum=paho,enum=paho.golang,enum=go-coap,description=The client library of the sessions; the default is Myriad's own"`
	Security *securityForm `json:"security,omitempty" jsonschema:"description=How devices and peer authenticate"`
	MQTT     *mqttForm     `json:"mqtt,omitempty" jsonschema:"description=Settings of MQTT"`
	CoAP     *coapForm     `json:"coap,omitempty" jsonschema:"description=Settings of CoAP"`
	Commands *commandsForm `json:"commands,omitempty" jsonschema:"description=Where devices receive commands and answer them"`
}

type retryForm struct {
	From   durationForm `json:"from" jsonschema:"description=The delay before the first attempt; it doubles"`
	To     durationForm `json:"to" jsonschema:"description=The longest delay"`
	Jitter percentForm  `json:"jitter,omitempty" jsonschema:"description=The random share of a delay"`
	Stable durationForm `json:"stable,omitempty" jsonschema:"description=How long a connection lasts before the delays start again; the default is the longest delay and at most 30s"`
}

// JSONSchemaExtend allows a policy to be only a name.
func (retryForm) JSONSchemaExtend(s *jsonschema.Schema) {
	object := *s
	name := &jsonschema.Schema{Type: "string"}
	for _, n := range sim.RetryNames() {
		name.Enum = append(name.Enum, n)
	}
	*s = jsonschema.Schema{AnyOf: []*jsonschema.Schema{name, &object}}
}

type targetForm struct {
	Kind    string      `json:"kind" jsonschema:"enum=embedded,enum=container,enum=external"`
	Broker  brokerForm  `json:"broker,omitempty" jsonschema:"description=container: what runs in it"`
	Version string      `json:"version,omitempty" jsonschema:"description=container: the image's tag"`
	MQTT    addressForm `json:"mqtt,omitempty" jsonschema:"description=external: host:port; one or a list"`
	MQTTS   addressForm `json:"mqtts,omitempty" jsonschema:"description=external: MQTT over TLS"`
	WS      addressForm `json:"ws,omitempty" jsonschema:"description=external: MQTT over WebSocket; host:port/path"`
	WSS     addressForm `json:"wss,omitempty" jsonschema:"description=external: MQTT over secure WebSocket; host:port/path"`
	CoAP    addressForm `json:"coap,omitempty" jsonschema:"description=external: host:port; one or a list"`
	CoAPS   addressForm `json:"coaps,omitempty" jsonschema:"description=external: CoAP over DTLS"`
	CoAPTCP addressForm `json:"coap+tcp,omitempty" jsonschema:"description=external: CoAP over TCP"`
	CoAPTLS addressForm `json:"coaps+tcp,omitempty" jsonschema:"description=external: CoAP over TLS"`

	Username string `json:"username,omitempty" jsonschema:"description=external: to the MQTT brokers\\, of Myriad itself and of fleets that say nothing"`
	Password string `json:"password,omitempty" jsonschema:"description=external: ${NAME} of the environment\\, or file:path\\, or the text itself"`
}

type (
	countForm    string
	durationForm string
	percentForm  string
	protocolForm string
	qosForm      string
	addressForm  string
)

// whole is the pattern that a complete text of the kind matches.
func whole(k words.Kind) string { return "^(?:" + k.Pattern() + ")$" }

// JSONSchema allows a count to be a number or a text.
func (countForm) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
		{Type: "integer", Minimum: "0", Maximum: json.Number(fmt.Sprint(words.MaxCount))},
		{Type: "string", Pattern: whole(words.Count)},
	}}
}

// JSONSchema is the notation of durations.
func (durationForm) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Examples: []any{"250ms", "30s", "1m30s", "7d", "5 minutes"},
		Pattern: whole(words.Duration)}
}

// JSONSchema is the notation of percentages.
func (percentForm) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: whole(words.Percent)}
}

// JSONSchema lists the protocols.
func (protocolForm) JSONSchema() *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string"}
	for _, p := range sim.Protocols() {
		for _, name := range p.Names() {
			s.Enum = append(s.Enum, name)
		}
	}
	return s
}

// JSONSchema lists the qualities of service.
func (qosForm) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Enum: []any{0, 1, 2, "QoS 0", "QoS 1", "QoS 2", "CON", "NON"}}
}

// JSONSchema allows one address or a list.
func (addressForm) JSONSchema() *jsonschema.Schema {
	one := &jsonschema.Schema{Type: "string"}
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{one, {Type: "array", Items: one, MinItems: new(uint64(1))}}}
}

// Schema returns the JSON Schema of a profile file.
func Schema() ([]byte, error) {
	r := jsonschema.Reflector{Anonymous: true, DoNotReference: true, ExpandedStruct: true}
	s := r.Reflect(fileForm{})
	s.Title = "Myriad profiles"
	s.Description = "Models, fleets, targets and signals that stories name"
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("schema of profiles: %w", err)
	}
	return append(data, '\n'), nil
}
