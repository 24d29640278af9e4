package words

import (
	"math"
	"strconv"
	"strings"
)

// Limits of what is read.
const (
	MaxCount = math.MaxUint32
	MaxRate  = 1e9 // a second
)

// ParseNumber reads a decimal number without a sign: "21.5" or "250,000".
func ParseNumber(text string) (float64, error) { return Number.parseNumber(text, text) }

// parseNumber reads the number in text, which is to become a k.
func (k Kind) parseNumber(text, num string) (float64, error) {
	whole, fraction, point := strings.Cut(num, ".")
	switch {
	case strings.HasPrefix(num, "-"):
		return 0, mistake("write "+k.Accepts(), "%s is negative", Quote(text))
	case whole == "" || strings.Trim(whole, "0123456789,_") != "", point && fraction == "", strings.Trim(fraction, "0123456789") != "":
		return 0, k.mistake(text)
	}
	digits, grouped := ungrouped(whole)
	if !grouped {
		return 0, mistake("a comma groups thousands, as in 250,000, and a point is the decimal sign",
			"%s has a comma in the wrong place", Quote(text))
	}
	if point {
		digits += "." + fraction
	}
	v, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		return 0, k.mistake(text) // out of range
	}
	return v, nil
}

// ungrouped is a whole number without the marks between its thousands, which must be between all or none
// of them.
func ungrouped(whole string) (digits string, ok bool) {
	groups := strings.Split(strings.ReplaceAll(whole, "_", ","), ",")
	if len(groups) > 1 {
		for i, g := range groups {
			if len(g) != 3 && (i > 0 || len(g) > 3 || g == "") {
				return "", false
			}
		}
	}
	return strings.Join(groups, ""), true
}

// suffixed cuts off k (1,000) or M (1,000,000), as the power of ten that it is.
func suffixed(text string) (num string, power int) {
	if num, ok := strings.CutSuffix(text, "k"); ok {
		return num, 3
	}
	if num, ok := strings.CutSuffix(text, "M"); ok {
		return num, 6
	}
	return text, 0
}

// twofold refuses a fraction of three zeros, which is a thousand to some readers and one to others.
func twofold(text, num string) error {
	whole, fraction, _ := strings.Cut(num, ".")
	if fraction != "000" {
		return nil
	}
	rest := strings.TrimPrefix(text, num)
	return mistake("write "+whole+rest+" or "+whole+",000"+rest, "%s can be read in two ways", Quote(text))
}

// ParseCount reads "250000", "250,000", "250_000", "250k", "1.2M" or "no", which is 0: a whole number
// from 0 to [MaxCount].
func ParseCount(text string) (int, error) {
	if text == "no" {
		return 0, nil
	}
	num, power := suffixed(text)
	if power == 0 && strings.Contains(num, ".") && strings.Trim(num, "0123456789,_.") == "" {
		right := "write " + Count.Accepts()
		if digits := strings.ReplaceAll(num, ".", ""); threes(strings.Split(num, ".")) {
			right = "write " + strings.ReplaceAll(num, ".", ",") + " or " + digits
		}
		return 0, mistake(right, "%s has a decimal point, and a count is a whole number", Quote(text))
	}
	if _, err := Count.parseNumber(text, num); err != nil {
		return 0, err
	}
	if err := twofold(text, num); err != nil {
		return 0, err
	}
	whole, fraction, _ := strings.Cut(num, ".")
	digits, _ := ungrouped(whole)
	if fraction = strings.TrimRight(fraction, "0"); len(fraction) > power {
		return 0, mistake("write "+Count.Accepts(), "%s is not a whole number", Quote(text))
	}
	n, err := strconv.ParseUint(digits+fraction+strings.Repeat("0", power-len(fraction)), 10, 64)
	if err != nil || n > MaxCount {
		return 0, mistake("at most "+PrintCount(MaxCount), "%s is too many", Quote(text))
	}
	return int(n), nil
}

// threes says that groups look like those between thousands: up to three digits, then three each.
func threes(groups []string) bool {
	for i, g := range groups {
		if len(g) != 3 && (i > 0 || len(g) > 3 || g == "") || strings.Trim(g, "0123456789") != "" {
			return false
		}
	}
	return true
}

// PrintCount is n with its thousands grouped: "250,000".
func PrintCount(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// ParsePercent reads "2%" or "99.99%" as 2 and 99.99: from 0% to 100%.
func ParsePercent(text string) (float64, error) {
	num, ok := strings.CutSuffix(text, "%")
	if !ok {
		return 0, Percent.mistake(text)
	}
	v, err := Percent.parseNumber(text, strings.TrimSuffix(num, " "))
	switch {
	case err != nil:
		return 0, err
	case strings.ContainsAny(num, ",_"):
		return 0, Percent.mistake(text)
	case v > 100:
		return 0, mistake("at most 100%", "%s is more than all", Quote(text))
	}
	return v, nil
}

// Share is a percentage as a part of 1, without the digits that only the division makes. It keeps eight
// decimals of the percentage.
func Share(percent float64) float64 { return math.Round(percent*1e8) / 1e10 }

// ParseShare reads a percentage as a part of 1.
func ParseShare(text string) (float64, error) {
	v, err := ParsePercent(text)
	return Share(v), err
}

// perSecond is how many seconds the units of a rate have.
func perSecond(unit string) float64 {
	switch unit {
	case "s":
		return 1
	case "min", "m":
		return 60
	case "h":
		return 3600
	}
	return 0
}

// ParseRate reads "10/s", "5,000/s", "2k/s", "500/min" or "1/h" in times a second, up to [MaxRate].
func ParseRate(text string) (float64, error) {
	amount, unit, _ := strings.Cut(text, "/")
	seconds := perSecond(unit)
	if seconds == 0 {
		return 0, Rate.mistake(text)
	}
	num, power := suffixed(amount)
	v, err := Rate.parseNumber(text, num)
	if err != nil {
		return 0, err
	}
	if err := twofold(text, num); err != nil {
		return 0, err
	}
	if v = v * math.Pow10(power) / seconds; v > MaxRate {
		return 0, mistake("at most "+PrintRate(MaxRate), "%s is too fast", Quote(text))
	}
	return v, nil
}

// PrintRate is a rate, in times a second, in the unit in which it is a whole number, or else per second:
// "5,000/s", "1/h", "0.3/s".
func PrintRate(rate float64) string {
	for _, unit := range []string{"s", "min", "h"} {
		if n := math.Round(rate * perSecond(unit)); n/perSecond(unit) == rate && (n > 0 || rate == 0) {
			return PrintCount(int(n)) + "/" + unit
		}
	}
	text := strconv.FormatFloat(rate, 'f', -1, 64)
	return text + "/s"
}
