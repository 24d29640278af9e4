// Package payload encodes a device's readings as the bytes of a message.
//
// An [Encoder] is compiled once per model into a list of parts: some fixed bytes, and one value that follows
// them. Encoding a message appends them one after another and does not allocate. The fixed bytes (keys, units,
// whole CBOR strings) are made by encoding/json and fxamacker/cbor when the model is compiled. The values are
// appended by this package, because both libraries take a value through an interface, which allocates for
// each message. Tests decode every encoding with the libraries.
//
// The package also computes the signals, with sim/signal, so a payload is a pure function of its [Reading].
// An Encoder is immutable and may be used from many goroutines; the package starts none.
package payload

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/signal"
)

// StampName is the member, or SenML record, that carries the stamp.
const StampName = "_m"

// Reading is what one message says beside the model's signals.
type Reading struct {
	ID    string // the device's
	Stamp sim.Stamp
	Key   uint64 // the device's stream key
	Seq   uint32
	Due   time.Duration // since T0; the signals are computed for this instant
	Time  time.Time     // the wall clock at Due
}

// Encoder encodes the readings of one model.
type Encoder struct {
	parts  []part
	size   int  // bytes that a payload is filled up to, by blank; 0: none
	blank  byte // after the end, or
	binary bool // in a last byte string
}

// New compiles m, or says what is wrong with it. An empty encoding is JSON.
func New(m *sim.Model) (*Encoder, error) {
	if err := checkModel(m); err != nil {
		return nil, err
	}
	var parts []part
	var err error
	switch m.Encoding {
	case sim.EncodingJSON, "":
		parts, err = compileJSON(m)
	case sim.EncodingTemplate:
		parts, err = compileTemplate(m)
	case sim.EncodingCBOR:
		parts, err = compileCBOR(m)
	case sim.EncodingSenMLJSON:
		parts, err = compileSenMLJSON(m)
	case sim.EncodingSenMLCBOR:
		parts, err = compileSenMLCBOR(m)
	default:
		return nil, fmt.Errorf("unknown encoding %q: there are %s", m.Encoding, strings.Join(Encodings(), ", "))
	}
	if err != nil {
		return nil, err
	}
	e := &Encoder{parts: parts}
	e.setFill(m)
	return e, nil
}

// Validate says what keeps m from being encoded, or nil.
func Validate(m *sim.Model) error { _, err := New(m); return err }

// Append appends the payload of r to dst.
func (e *Encoder) Append(dst []byte, r *Reading) []byte {
	start := len(dst)
	for i := range e.parts {
		p := &e.parts[i]
		dst = append(dst, p.fixed...)
		if p.value == numberText { // computing a signal needs many frames, and devices have little stack: this saves one
			dst = p.appendNumber(dst, r)
			continue
		}
		dst = p.append(dst, r)
	}
	if e.size > 0 {
		return e.filled(dst, start)
	}
	return dst
}

// Encodings lists the names of the encodings.
func Encodings() []string {
	return []string{string(sim.EncodingJSON), string(sim.EncodingTemplate), string(sim.EncodingCBOR),
		string(sim.EncodingSenMLJSON), string(sim.EncodingSenMLCBOR)}
}

// ContentFormat is the CoAP Content-Format of an encoding, from IANA's registry. A template is text.
func ContentFormat(e sim.Encoding) uint16 {
	switch e {
	case sim.EncodingJSON, "":
		return 50
	case sim.EncodingCBOR:
		return 60
	case sim.EncodingSenMLJSON:
		return 110
	case sim.EncodingSenMLCBOR:
		return 112
	}
	return 0
}

// reserved are the names that an encoding uses itself.
func reserved(e sim.Encoding) []string {
	switch e {
	case sim.EncodingTemplate:
		return []string{"id", "seq", "time", "unix", "unixms", "stamp"}
	case sim.EncodingSenMLJSON, sim.EncodingSenMLCBOR:
		return []string{StampName}
	}
	return []string{"id", "time", "seq", StampName}
}

func checkModel(m *sim.Model) error {
	seen := map[string]bool{}
	for _, name := range reserved(m.Encoding) {
		seen[name] = true
	}
	if m.Size > 0 {
		seen[FillName] = true
	}
	for i := range m.Signals {
		s := &m.Signals[i]
		if err := checkName(s.Name, m.Encoding); err != nil {
			return fmt.Errorf("signal %q: %w", s.Name, err)
		}
		if seen[s.Name] {
			return fmt.Errorf("signal %q: the name is in use: choose one that no other signal has, and not one of %s",
				s.Name, strings.Join(reserved(m.Encoding), ", "))
		}
		seen[s.Name] = true
		if !utf8.ValidString(s.Unit) {
			return fmt.Errorf("signal %q: the unit is not UTF-8", s.Name)
		}
		if err := signal.Check(s); err != nil {
			return fmt.Errorf("signal %q: %w", s.Name, err)
		}
	}
	switch {
	case m.Template != "" && m.Encoding != sim.EncodingTemplate:
		return fmt.Errorf("a template needs the encoding %q, not %q", sim.EncodingTemplate, m.Encoding)
	case m.Buffer.Capacity < 0:
		return fmt.Errorf("a buffer of %d messages: 0 keeps none", m.Buffer.Capacity)
	}
	return nil
}

// checkName keeps names readable everywhere, and those of SenML within RFC 8428 section 4.5.1.
func checkName(name string, e sim.Encoding) error {
	if e == sim.EncodingSenMLJSON || e == sim.EncodingSenMLCBOR {
		if !regexp.MustCompile(`^[A-Za-z0-9_:./-]+$`).MatchString(name) {
			return errors.New("SenML names are made of letters, digits and - : . / _")
		}
		return nil
	}
	if name == "" || !utf8.ValidString(name) || strings.ContainsAny(name, "{}") || strings.ContainsFunc(name, unicode.IsControl) {
		return errors.New("a name is text without braces and control characters, and not empty")
	}
	return nil
}
