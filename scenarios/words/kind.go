package words

import (
	"fmt"
	"strings"

	"github.com/myriad-iot/myriad/sim"
)

// Kind is a kind of value. Its text is the name of the parameter type in steps: "count" of {count}.
type Kind string

// The kinds.
const (
	Count    Kind = "count"
	Duration Kind = "duration"
	Rate     Kind = "rate"
	Percent  Kind = "percent"
	QoS      Kind = "qos"
	Protocol Kind = "protocol"
	Size     Kind = "size"
	CPU      Kind = "cpu"
	Times    Kind = "times"
	Number   Kind = "number" // in files only
)

// form is how a kind of value is called and written.
type form struct{ what, accepts, pattern string }

// What numbers look like.
const (
	whole  = `(?:\d+|\d{1,3}(?:[,_]\d{3})+)`
	number = whole + `(?:\.\d+)?`
)

func (k Kind) form() form {
	switch k {
	case Count:
		return form{"a count", "1000, 250,000, 250k, 1.2M or no", `no|` + whole + `(?:(?:\.\d+)?[kM])?`}
	case Duration:
		return form{"a duration", "250ms, 5m, 1m30s, 7d or 5 minutes",
			`(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h|d))+|` + number + ` ?(?:millisecond|second|minute|hour|day)s?|0`}
	case Rate:
		return form{"a rate", "10/s, 5,000/s, 500/min or 1/h", number + `[kM]?/(?:s|min|m|h)`}
	case Percent:
		return form{"a percentage", "2% or 99.99%", `\d+(?:\.\d+)? ?%`}
	case Size:
		return form{"a size", "500 kB, 64 MB, 64 MiB or 1.5 GB", number + ` ?(?:kB|MB|GB|[kKMG]iB|B)`}
	case CPU:
		return form{"a share of a processor", "10% or 150%, which is one and a half processors", `\d+(?:\.\d+)? ?%`}
	case Times:
		return form{"a multiple", "2 times or 1.5 times", number + ` times`}
	case QoS:
		return form{"a quality of service", "QoS 0, QoS 1, QoS 2, or CON or NON for CoAP", anyCase("QoS") + ` [0-2]|` + anyCase("CON") + `|` + anyCase("NON")}
	case Protocol:
		return form{"a protocol", "MQTT 3.1.1 or MQTT 5 [over TLS, WebSocket or secure WebSocket], or CoAP [over DTLS, TCP or TLS]",
			protocolPattern()}
	case Number:
		return form{"a number", "21.5 or 250,000", number}
	}
	return form{}
}

// What is the kind with its article, for messages: "a duration".
func (k Kind) What() string { return k.form().what }

// Accepts lists examples of it, for messages and help: "250ms, 5m or 1m30s".
func (k Kind) Accepts() string { return k.form().accepts }

// Pattern is a regular expression, not anchored, without capturing groups and flags. Every text that the
// reader of the kind takes fits it, but for a digit alone as a [QoS]; what fits it may still be out of range.
func (k Kind) Pattern() string { return k.form().pattern }

// mistake is a text that is not of the kind.
func (k Kind) mistake(text string) error {
	return mistake("write "+k.Accepts(), "%s is not %s", Quote(text), k.What())
}

func mistake(right, format string, a ...any) error {
	return &sim.Mistake{Wrong: fmt.Sprintf(format, a...), Right: right}
}

// anyCase is a pattern of text in which the case of letters does not matter, without the flag for it,
// which Cucumber Expressions refuse.
func anyCase(text string) string {
	var b strings.Builder
	for _, r := range text {
		upper, lower := strings.ToUpper(string(r)), strings.ToLower(string(r))
		switch {
		case upper != lower:
			b.WriteString("[" + upper + lower + "]")
		case r == '.':
			b.WriteString(`\.`)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
