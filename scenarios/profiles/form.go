package profiles

import (
	"encoding/json"
	"fmt"

	"github.com/invopop/jsonschema"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/payload"
)

// The forms are the file as its author sees it: the JSON Schema is made from them, and the reader
// takes the names of the fields from them.

type fileForm struct {
	Signals map[string]string     `json:"signals,omitempty" jsonschema:"description=Signals by name: each in words such as sine around 21 by 3 every 24h with noise 0.2"`
	Models  map[string]modelForm  `json:"models,omitempty" jsonschema:"description=Kinds of device by name"`
	Fleets  map[string]fleetForm  `json:"fleets,omitempty" jsonschema:"description=Fleets by name"`
	Targets map[string]targetForm `json:"targets,omitempty" jsonschema:"description=Systems under test by name"`
}

type modelForm struct {
	Signals  map[string]signalForm `json:"signals,omitempty" jsonschema:"description=What the device measures"`
	Encoding encodingForm          `json:"encoding,omitempty" jsonschema:"description=How a reading becomes a payload; json if it is not said"`
	Template string                `json:"template,omitempty" jsonschema:"description=The payload as text with {id} {seq} {time} {unix} {unixms} {stamp} and {<signal>}"`
	Buffer   *bufferForm           `json:"buffer,omitempty" jsonschema:"description=What the device keeps while it cannot send"`
}

type signalForm struct {
	Follows string `json:"follows" jsonschema:"description=A signal's name or its words"`
	Unit    string `json:"unit,omitempty" jsonschema:"description=The SenML unit: Cel; %RH; V ..."`
}

// JSONSchemaExtend lets a signal be its words alone.
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

type bufferForm struct {
	Messages countForm `json:"messages" jsonschema:"description=How many messages fit; 0 keeps none"`
	Drop     string    `json:"drop,omitempty" jsonschema:"enum=oldest,enum=newest,description=What a full buffer drops; the oldest if it is not said"`
}

type fleetForm struct {
	Count    countForm    `json:"count" jsonschema:"description=How many devices"`
	Model    string       `json:"model" jsonschema:"description=A model of this file or a built-in one"`
	Protocol protocolForm `json:"protocol,omitempty"`
	QoS      qosForm      `json:"qos,omitempty" jsonschema:"description=0 to 2; for CoAP 0 is NON and 1 is CON"`
	Every    durationForm `json:"every,omitempty" jsonschema:"description=The time between two reports of a device"`
	Topic    string       `json:"topic,omitempty" jsonschema:"description=The MQTT topic or CoAP path with {id} and {fleet}"`
	Jitter   percentForm  `json:"jitter,omitempty" jsonschema:"description=How much of the interval a report may move by"`
	Session  durationForm `json:"session,omitempty" jsonschema:"description=How long the broker keeps the session; 0s is a clean one"`
	Retry    retryForm    `json:"retry,omitzero" jsonschema:"description=How the devices reconnect: a policy's name or a backoff"`

	Client   string        `json:"client,omitempty" jsonschema:"enum=paho,enum=paho.golang,enum=go-coap,description=Whose library the sessions run on; Myriad's own if it is not said"`
	Security *securityForm `json:"security,omitempty" jsonschema:"description=How devices and peer prove who they are"`
	MQTT     *mqttForm     `json:"mqtt,omitempty" jsonschema:"description=What only MQTT has"`
	CoAP     *coapForm     `json:"coap,omitempty" jsonschema:"description=What only CoAP has"`
	Commands *commandsForm `json:"commands,omitempty" jsonschema:"description=Where devices are told what to do and answer"`
}

type retryForm struct {
	From   durationForm `json:"from" jsonschema:"description=The delay before the first attempt; it doubles"`
	To     durationForm `json:"to" jsonschema:"description=The longest delay"`
	Jitter percentForm  `json:"jitter,omitempty" jsonschema:"description=The share of a delay that is drawn"`
}

// JSONSchemaExtend lets a policy be its name.
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
	Broker  string      `json:"broker,omitempty" jsonschema:"description=container: mosquitto"`
	Version string      `json:"version,omitempty" jsonschema:"description=container: the image's tag"`
	MQTT    addressForm `json:"mqtt,omitempty" jsonschema:"description=external: host:port; one or a list"`
	MQTTS   addressForm `json:"mqtts,omitempty" jsonschema:"description=external: MQTT over TLS"`
	WS      addressForm `json:"ws,omitempty" jsonschema:"description=external: MQTT over WebSocket; host:port/path"`
	WSS     addressForm `json:"wss,omitempty" jsonschema:"description=external: MQTT over secure WebSocket; host:port/path"`
	CoAP    addressForm `json:"coap,omitempty" jsonschema:"description=external: host:port; one or a list"`
	CoAPS   addressForm `json:"coaps,omitempty" jsonschema:"description=external: CoAP over DTLS"`
	CoAPTCP addressForm `json:"coap+tcp,omitempty" jsonschema:"description=external: CoAP over TCP"`
	CoAPTLS addressForm `json:"coaps+tcp,omitempty" jsonschema:"description=external: CoAP over TLS"`
}

type (
	countForm    string
	durationForm string
	percentForm  string
	protocolForm string
	qosForm      string
	addressForm  string
)

// JSONSchema lets a count be a number or text.
func (countForm) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
		{Type: "integer", Minimum: "0", Maximum: json.Number(fmt.Sprint(maxCount))},
		{Type: "string", Pattern: `^(\d+|\d{1,3}([,_]\d{3})+|\d+\.\d+)[kM]?$`},
	}}
}

// JSONSchema is the notation of durations.
func (durationForm) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Examples: []any{"250ms", "30s", "1m30s", "7d", "5 minutes"},
		Pattern: `^((\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+|\d+(\.\d+)? ?(d|(day|hour|minute|second|millisecond)s?)|0)$`}
}

// JSONSchema is the notation of percentages.
func (percentForm) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: `^\d+(\.\d+)? ?%$`}
}

// JSONSchema lists the protocols.
func (protocolForm) JSONSchema() *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string"}
	for _, p := range protocols() {
		s.Enum = append(s.Enum, p)
	}
	return s
}

// JSONSchema lists the qualities of service.
func (qosForm) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Enum: []any{0, 1, 2, "QoS 0", "QoS 1", "QoS 2"}}
}

// JSONSchema lets addresses be one or a list.
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
