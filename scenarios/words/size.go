package words

import (
	"math"
	"strings"
)

// MaxSize is the largest size that is read, in bytes: 1 EB.
const MaxSize = 1e18

// sizes are the units of sizes, the longer names first: of IEC 80000-13 those with an i are powers of 1024.
func sizes() []sizeUnit {
	return []sizeUnit{{"KiB", 1 << 10}, {"kiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}}
}

type sizeUnit struct {
	name  string
	bytes float64
}

// ParseSize reads "500 kB", "64MB", "64 MiB" or "1.5 GB" into bytes.
func ParseSize(text string) (int64, error) {
	for _, u := range sizes() {
		num, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		num = strings.TrimSuffix(num, " ")
		v, err := Size.parseNumber(text, num)
		if err != nil {
			return 0, err
		}
		if v *= u.bytes; v > MaxSize {
			return 0, mistake("write at most 1000000000 GB", "%s is too large", Quote(text))
		}
		whole := math.Round(v)
		if math.Abs(v-whole) > 1e-9*v { // 4.1 MB is 4099999.9999999995
			return 0, mistake("write whole bytes", "%s is a part of a byte", Quote(text))
		}
		return int64(whole), nil
	}
	return 0, Size.mistake(text)
}

// Limits of what is read.
const (
	mostCPU   = 100_000 // percent of one processor
	mostTimes = 1e6
)

// ParseCPU reads "10%" or "150%" as so much of one processor: 0.1 and 1.5.
func ParseCPU(text string) (float64, error) {
	num, ok := strings.CutSuffix(text, "%")
	if !ok {
		return 0, CPU.mistake(text)
	}
	v, err := CPU.parseNumber(text, strings.TrimSuffix(num, " "))
	switch {
	case err != nil:
		return 0, err
	case strings.ContainsAny(num, ",_"):
		return 0, CPU.mistake(text)
	case v > mostCPU:
		return 0, mistake("100% is one processor", "%s is more than any machine has", Quote(text))
	}
	return Share(v), nil
}

// ParseTimes reads "2 times" or "1.5 times", above 0.
func ParseTimes(text string) (float64, error) {
	num, ok := strings.CutSuffix(text, " times")
	if !ok {
		return 0, Times.mistake(text)
	}
	v, err := Times.parseNumber(text, num)
	switch {
	case err != nil:
		return 0, err
	case v == 0:
		return 0, mistake("write for example 2 times", "nothing is 0 times as long")
	case v > mostTimes:
		return 0, mistake("at most a million times", "%s is too many", Quote(text))
	}
	return v, nil
}
