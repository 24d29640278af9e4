package words

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// Longest is the longest duration: a stamp counts microseconds in 48 bits.
const Longest = 366 * day

const day = 24 * time.Hour

// unit is a unit of time.
type unit struct {
	name string
	is   time.Duration
}

// units lists the short units, from the shortest on: "ms" comes before the "m" that it begins with. Of two
// names the last one is printed.
func units() []unit {
	return []unit{{"ns", time.Nanosecond}, {"µs", time.Microsecond}, {"us", time.Microsecond}, {"ms", time.Millisecond},
		{"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}, {"d", day}}
}

// ParseDuration reads "250ms", "5m", "1m30s", "7d", "1d12h", "5 minutes" or "0": from 0 to [Longest].
func ParseDuration(text string) (sim.Duration, error) {
	if text == "0" {
		return 0, nil
	}
	if strings.HasPrefix(text, "-") {
		return 0, mistake("write "+Duration.Accepts(), "%s is negative", Quote(text))
	}
	for _, u := range []unit{{"millisecond", time.Millisecond}, {"second", time.Second}, {"minute", time.Minute},
		{"hour", time.Hour}, {"day", day}} {
		if num, ok := strings.CutSuffix(strings.TrimSuffix(text, "s"), u.name); ok {
			return amount(text, strings.TrimSuffix(num, " "), u.is)
		}
	}
	if text == "" {
		return 0, Duration.mistake(text)
	}
	var sum sim.Duration
	for rest := text; rest != ""; {
		end := strings.IndexFunc(rest, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
		var u unit
		if end > 0 {
			for _, known := range units() {
				if u.is == 0 && strings.HasPrefix(rest[end:], known.name) {
					u = known
				}
			}
		}
		if u.is == 0 {
			return 0, Duration.mistake(text)
		}
		d, err := amount(text, rest[:end], u.is)
		if err != nil {
			return 0, err
		}
		if sum += d; sum.D() > Longest {
			return 0, tooLong(text)
		}
		rest = rest[end+len(u.name):]
	}
	return sum, nil
}

// amount is a number of units. Whole ones are exact, which nanoseconds in a floating-point number are not
// beyond 104 days.
func amount(text, num string, of time.Duration) (sim.Duration, error) {
	v, err := Duration.parseNumber(text, num)
	switch {
	case err != nil:
		return 0, err
	case v*float64(of) > float64(Longest):
		return 0, tooLong(text)
	}
	whole := math.Floor(v)
	return sim.Duration(whole)*sim.Duration(of) + sim.Duration(math.Round((v-whole)*float64(of))), nil
}

func tooLong(text string) error {
	return mistake("at most "+PrintDuration(Longest), "%s is too long", Quote(text))
}

// PrintDuration is d as stories write it, without the parts that are zero: "1m30s", "7d", "1d12h". What is
// left of a second is in the largest unit in which it is a whole number: "250ms", "1500us".
func PrintDuration(d time.Duration) string {
	if d < 0 {
		return "-" + PrintDuration(-d)
	}
	var b strings.Builder
	for _, u := range slices.Backward(units()) {
		n := d / u.is
		if n == 0 || u.is < time.Second && d%u.is != 0 {
			continue
		}
		b.WriteString(strconv.FormatInt(int64(n), 10) + u.name)
		d -= n * u.is
	}
	if b.Len() == 0 {
		return "0s"
	}
	return b.String()
}
