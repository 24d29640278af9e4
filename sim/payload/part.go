package payload

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/signal"
)

// value is what follows the fixed bytes of a part.
type value uint8

const (
	nothing     value = iota
	idText            // as it is
	idJSON            // within quotes that are fixed bytes
	idSenML           // within quotes that are fixed bytes
	idCBOR            // a text string
	nameCBOR          // a text string: the base name of SenML
	timeText          // RFC 3339 in UTC with milliseconds
	timeCBOR          // the same as a text string
	unixText          // seconds
	unixmsText        // milliseconds
	secondsText       // seconds with three decimals
	secondsCBOR       // the same as a float
	seqText
	seqCBOR
	numberText // the signal
	numberCBOR // the signal
	stampText
)

// part is some fixed bytes and the value that follows them.
type part struct {
	fixed  []byte
	value  value
	signal sim.Signal // numberText, numberCBOR
	index  int        // of the signal in its model
	scale  float64    // 10 to the power of the decimals, 0 to keep all
	places int        // the decimals, if scale is not 0
}

func (p *part) append(dst []byte, r *Reading) []byte {
	switch p.value {
	case idText:
		return append(dst, r.ID...)
	case idJSON:
		return appendEscaped(dst, r.ID)
	case idSenML:
		return appendName(dst, r.ID)
	case idCBOR:
		return appendText(dst, r.ID)
	case nameCBOR:
		dst = appendHead(dst, textString, uint64(len(r.ID)+1))
		return append(appendName(dst, r.ID), ':')
	case timeText:
		return appendTime(dst, r.Time.UnixMilli())
	case timeCBOR:
		start := len(dst)
		dst = appendTime(append(dst, textString|24, 0), r.Time.UnixMilli())
		dst[start+1] = byte(len(dst) - start - 2)
		return dst
	case unixText:
		return strconv.AppendInt(dst, r.Time.Unix(), 10)
	case unixmsText:
		return strconv.AppendInt(dst, r.Time.UnixMilli(), 10)
	case secondsText:
		return appendMillis(dst, r.Time.UnixMilli())
	case secondsCBOR:
		return appendFloat(dst, seconds(r.Time))
	case seqText:
		return strconv.AppendUint(dst, uint64(r.Seq), 10)
	case seqCBOR:
		return appendHead(dst, unsigned, uint64(r.Seq))
	case numberCBOR:
		return appendFloat(dst, p.number(r))
	case stampText:
		return r.Stamp.Append(dst)
	}
	return dst
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// number is the signal's value, rounded.
func (p *part) number(r *Reading) float64 {
	v := signal.Value(&p.signal, signal.Key(r.Key, p.index), r.Seq, r.Due)
	if p.scale > 0 {
		v = math.Round(v*p.scale) / p.scale
	}
	if v == 0 {
		return 0 // and not -0
	}
	return v
}

// number returns the part of m's i-th signal.
func number(v value, m *sim.Model, i int) part {
	p := part{value: v, signal: m.Signals[i], index: i}
	if d := Decimals(&p.signal); d >= 0 {
		p.scale, p.places = math.Pow10(d), d
	}
	return p
}

// Decimals is the number of decimals that values of s are rounded to: three, or as many as are needed to show a
// tenth of its smallest change, at most nine. It is -1 (no rounding) for signals that only repeat given values:
// replays, and constants and steps without noise.
func Decimals(s *sim.Signal) int {
	finest := math.Inf(1)
	for _, v := range []float64{s.Noise, math.Abs(s.Amplitude), s.Step} {
		if v > 0 {
			finest = min(finest, v)
		}
	}
	switch s.Law {
	case sim.LawReplay:
		return -1
	case sim.LawConstant, sim.LawStep:
		if s.Noise == 0 {
			return -1
		}
		finest = s.Noise
	}
	d := 3
	for d < 9 && finest*math.Pow10(d) < 9.999 {
		d++
	}
	return d
}

// appendEscaped appends s as the inside of a JSON string.
func appendEscaped(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			q, err := json.Marshal(s)
			if err != nil {
				panic(err) // encoding/json refuses no string
			}
			return append(dst, q[1:len(q)-1]...)
		}
	}
	return append(dst, s...)
}

// appendName appends s with an underscore for each byte that SenML does not allow in a name.
func appendName(dst []byte, s string) []byte {
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '-', c == '.', c == ':', c == '/', c == '_':
		default:
			c = '_'
		}
		if i == 0 && strings.IndexByte("-.:/_", c) >= 0 {
			c = 'x' // a name starts with a letter or a digit
		}
		dst = append(dst, c)
	}
	return dst
}

// CBOR major types, RFC 8949 section 3.1, in place.
const (
	unsigned   = 0 << 5
	textString = 3 << 5
	array      = 4 << 5
	mapping    = 5 << 5
	float64Tag = 7<<5 | 27
)

// appendHead appends the head of a data item: its type and its argument in the shortest form.
func appendHead(dst []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(dst, major|byte(n))
	case n <= math.MaxUint8:
		return append(dst, major|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, major|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, major|27), n)
}

func appendText(dst []byte, s string) []byte {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\ufffd")
	}
	return append(appendHead(dst, textString, uint64(len(s))), s...)
}

func appendFloat(dst []byte, v float64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, float64Tag), math.Float64bits(v))
}
