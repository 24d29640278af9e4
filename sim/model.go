package sim

// Model is a kind of device: what it measures and how it says so.
type Model struct {
	Name     string   `json:"name"`
	Signals  []Signal `json:"signals,omitempty"`
	Encoding Encoding `json:"encoding"`
	Template string   `json:"template,omitempty"` // EncodingTemplate only
	Buffer   Buffer   `json:"buffer"`
	Size     int      `json:"size,omitempty"` // bytes that a payload is filled up to; 0: as long as it comes
}

// Encoding is how a reading becomes a payload.
type Encoding string

// The encodings. Every payload carries the message's [Stamp], so that the far end can account for it.
const (
	EncodingJSON      Encoding = "json"       // {"id":"rooms-7","time":"...","temperature":21.4,"_m":"<stamp>"}
	EncodingTemplate  Encoding = "template"   // text with {id} {seq} {time} {unix} {stamp} and {<signal>}
	EncodingCBOR      Encoding = "cbor"       // the map of EncodingJSON in CBOR
	EncodingSenMLJSON Encoding = "senml+json" // RFC 8428
	EncodingSenMLCBOR Encoding = "senml+cbor" // RFC 8428
)

// Buffer bounds what a device keeps while it cannot send. What does not fit is dropped, and the
// ledger counts it as due and never sent.
type Buffer struct {
	Capacity int  `json:"capacity"`              // messages; 0 keeps none
	Newest   bool `json:"drop_newest,omitempty"` // drop the newest instead of the oldest
	Durable  bool `json:"durable,omitempty"`     // it is in flash: a loss of power loses none of it
}

// Law is the family of a signal.
type Law string

// The laws.
const (
	LawConstant Law = "constant" // Mean
	LawSine     Law = "sine"     // Mean + Amplitude*sin(2*pi*t/Period) + noise
	LawWalk     Law = "walk"     // Gaussian random walk from Mean with Step per report, reflected at Min and Max
	LawStep     Law = "step"     // alternates between Min and Max every Period
	LawReplay   Law = "replay"   // Values, one after another, over and over
)

// Signal is one value that a device measures. Its value is a pure function of the signal, the
// device's random stream and the message's sequence number and instant, so that a message that
// must be sent again is the same message.
type Signal struct {
	Name string `json:"name"`
	Unit string `json:"unit,omitempty"` // SenML unit where there is one: "Cel", "%RH", "V"
	Law  Law    `json:"law"`

	Mean      float64   `json:"mean,omitempty"`
	Amplitude float64   `json:"amplitude,omitempty"`
	Period    Duration  `json:"period,omitempty"`
	Noise     float64   `json:"noise,omitempty"` // standard deviation
	Step      float64   `json:"step,omitempty"`  // standard deviation of one step of a walk
	Min       float64   `json:"min,omitempty"`   // Min == Max means unbounded
	Max       float64   `json:"max,omitempty"`
	Values    []float64 `json:"values,omitempty"`
	Source    string    `json:"source,omitempty"` // replay: "office.csv:temperature"
}
