package render

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/myriad-iot/myriad/reports"
)

// Seconds formats a duration given in seconds for people: "12.3 ms", "1.5 s", "2 min 5 s", "3 h 20 min".
func Seconds(s float64) string { return seconds(s, 3) }

// Count formats an integer with thousands separators: "250,000".
func Count[T int | int64 | uint64](n T) string {
	digits := strconv.FormatInt(int64(n), 10)
	if n > 0 {
		digits = strconv.FormatUint(uint64(n), 10)
	}
	return group(digits)
}

// Rate formats a number per second: "1,234/s".
func Rate(r float64) string { return number(r, 3) + "/s" }

// Value formats v in the unit of a finding.
func Value(v float64, unit string) string { return value(v, unit, 3) }

// Pair formats a value and its limit with as many digits as it takes to tell them apart.
func Pair(v, limit float64, unit string) (string, string) {
	for digits := 3; ; digits++ {
		a, b := value(v, unit, digits), value(limit, unit, digits)
		if a != b || v == limit || digits == 12 || v != v || limit != limit {
			return a, b
		}
	}
}

func value(v float64, unit string, digits int) string {
	switch unit {
	case "s":
		return seconds(v, digits)
	case "%":
		return percent(v, digits)
	case "1/s":
		return number(v, digits) + "/s"
	case "":
		return number(v, digits)
	}
	if v == 1 || v == -1 {
		unit = strings.TrimSuffix(unit, "s")
	}
	return number(v, digits) + " " + plain(unit)
}

// signed is Value with a plus before what is not negative: a margin.
func signed(v float64, unit string) string {
	if v > 0 {
		return "+" + Value(v, unit)
	}
	return Value(v, unit)
}

func seconds(s float64, digits int) string {
	if !finite(s) {
		return "?"
	}
	if s < 0 {
		return "-" + seconds(-s, digits)
	}
	switch r := significant(s, digits); {
	case s == 0:
		return "0 s"
	case r < 1e-6:
		return number(s*1e9, digits) + " ns"
	case r < 1e-3:
		return number(s*1e6, digits) + " µs"
	case r < 1:
		return number(s*1e3, digits) + " ms"
	case s < 119.5 || digits > 3:
		return number(s, digits) + " s"
	case s < 7170:
		whole := int64(math.Round(s))
		return parts(whole/60, "min", whole%60, "s")
	}
	minutes := int64(math.Round(s / 60))
	return parts(minutes/60, "h", minutes%60, "min")
}

func parts(a int64, unitA string, b int64, unitB string) string {
	if b == 0 {
		return Count(a) + " " + unitA
	}
	return Count(a) + " " + unitA + " " + strconv.FormatInt(b, 10) + " " + unitB
}

func percent(p float64, digits int) string {
	if p > 99 && p < 100 {
		for decimals := max(2, digits-2); decimals < 14; decimals++ {
			if s := trim(strconv.FormatFloat(p, 'f', decimals, 64)); s != "100" {
				return s + "%"
			}
		}
	}
	return number(p, digits) + "%"
}

// number formats integers exactly and everything else to the given significant digits, though
// never with fewer digits than stand before the point.
func number(v float64, digits int) string {
	if !finite(v) {
		return "?"
	}
	if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
		return Count(int64(v))
	}
	r := significant(v, digits)
	decimals := 0
	if r != 0 {
		decimals = max(0, digits-1-int(math.Floor(math.Log10(math.Abs(r)))))
	}
	whole, fraction, _ := strings.Cut(trim(strconv.FormatFloat(r, 'f', min(decimals, 20), 64)), ".")
	if fraction == "" {
		return group(whole)
	}
	return group(whole) + "." + fraction
}

// significant rounds v to that many significant digits, so that 999.96 ms turns into 1 s before
// its unit is chosen.
func significant(v float64, digits int) float64 {
	if v == 0 || !finite(v) {
		return v
	}
	r, err := strconv.ParseFloat(strconv.FormatFloat(v, 'e', digits-1, 64), 64)
	if err != nil {
		return v
	}
	return r
}

func trim(s string) string {
	if !strings.Contains(s, ".") {
		return s
	}
	return strings.TrimRight(strings.TrimRight(s, "0"), ".")
}

func group(digits string) string {
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// clock formats a moment of a run: "0:07", "12:30", "1:02:03".
func clock(d time.Duration) string {
	if d <= -time.Second {
		return "-" + clock(-max(d, -math.MaxInt64))
	}
	s := int64(d / time.Second)
	two := func(n int64) string { return strconv.FormatInt(100+n, 10)[1:] }
	if s >= 3600 {
		return strconv.FormatInt(s/3600, 10) + ":" + two(s/60%60) + ":" + two(s%60)
	}
	return strconv.FormatInt(s/60, 10) + ":" + two(s%60)
}

// never is a time that falls among operations that were never answered, or of what never came.
const never = "never"

// samples is how many operations quantiles are over, and what is left out: "275 of 515" were answered.
func samples(q *reports.Quantiles) string {
	text := Count(q.Count)
	if q.Unanswered > 0 {
		text += " of " + Count(q.Due())
	}
	if q.LeftOut > 0 {
		text += ", " + Count(q.LeftOut) + " left out"
	}
	return text
}

// quantileCells are p50, p90, p99, p99.9 and the longest.
func quantileCells(q *reports.Quantiles) []string {
	n := q.Due()
	return []string{percentile(q.P50, n, .5), percentile(q.P90, n, .9), percentile(q.P99, n, .99), percentile(q.P999, n, .999),
		percentile(q.Max, n, 0)}
}

// percentile formats the q-quantile of n samples, with a "~" before it where n is too small for
// there to be even one sample beyond it.
func percentile(v float64, n int64, q float64) string {
	switch {
	case n == 0:
		return "-"
	case math.IsInf(v, 1):
		return never
	case float64(n)*(1-q) < 0.999999:
		return "~" + Seconds(v)
	}
	return Seconds(v)
}

// plain makes text of unknown origin safe to print: no control characters, so that a name cannot
// move the cursor or break a line.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0xfffe || r == 0xffff:
			return '\ufffd'
		case r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069: // bidirectional overrides
			return '\ufffd'
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}
