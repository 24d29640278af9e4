package payload

import (
	"math"
	"strconv"
	"time"
)

// The functions in this file do what packages time and strconv also do, but with less stack: a device encodes
// its reports within the 2 KiB that a goroutine starts with. With 4 KiB for each device, a machine would carry
// only half as many.

const layout = "2006-01-02T15:04:05.000Z"

// exact is the bound below which a float64 holds a scaled value as an exact integer, so that its digits are
// the shortest that read back as the same value.
const exact = 1e15

// appendNumber appends the signal's value with no more digits than it needs.
func (p *part) appendNumber(dst []byte, r *Reading) []byte {
	v := p.number(r)
	if n := v * p.scale; p.scale > 0 && n > -exact && n < exact {
		return appendDecimal(dst, int64(math.Round(n)), p.places)
	}
	return appendLongFloat(dst, v)
}

//go:noinline
func appendLongFloat(dst []byte, v float64) []byte { return strconv.AppendFloat(dst, v, 'f', -1, 64) }

// appendDecimal appends n/10^places without zeros at its end.
func appendDecimal(dst []byte, n int64, places int) []byte {
	if n < 0 {
		dst, n = append(dst, '-'), -n
	}
	for ; places > 0 && n%10 == 0; places-- {
		n /= 10
	}
	return appendFixed(dst, uint64(n), places)
}

// appendFixed appends n/10^places with all its digits.
func appendFixed(dst []byte, n uint64, places int) []byte {
	end := 1 // digits
	for m := n / 10; m > 0; m /= 10 {
		end++
	}
	end = max(end, places+1)
	if places > 0 {
		end++
	}
	start := len(dst)
	for range end {
		dst = append(dst, '0')
	}
	for i := start + end - 1; i >= start; i-- {
		if places > 0 && start+end-1-i == places {
			dst[i] = '.'
			continue
		}
		dst[i] = byte('0' + n%10)
		n /= 10
	}
	return dst
}

// appendMillis appends milliseconds as seconds with three decimals.
func appendMillis(dst []byte, ms int64) []byte {
	if ms < 0 {
		dst, ms = append(dst, '-'), -ms
	}
	return appendFixed(dst, uint64(ms), 3)
}

// appendTime appends milliseconds since 1970 as RFC 3339 has them, in UTC: "2006-01-02T15:04:05.000Z".
func appendTime(dst []byte, ms int64) []byte {
	const day = 24 * 3600 * 1000
	days, rest := ms/day, ms%day
	if rest < 0 {
		days, rest = days-1, rest+day
	}
	year, month, date := civil(days)
	if year < 0 || year > 9999 {
		return appendFarTime(dst, ms)
	}
	dst = append(appendTwo(appendTwo(dst, year/100), year%100), '-')
	dst = append(appendTwo(dst, month), '-')
	dst = append(appendTwo(dst, date), 'T')
	dst = append(appendTwo(dst, int(rest/3_600_000)), ':')
	dst = append(appendTwo(dst, int(rest/60_000%60)), ':')
	dst = append(appendTwo(dst, int(rest/1000%60)), '.')
	return append(appendTwo(append(dst, byte('0'+rest/100%10)), int(rest%100)), 'Z')
}

//go:noinline
func appendFarTime(dst []byte, ms int64) []byte {
	return time.UnixMilli(ms).UTC().AppendFormat(dst, layout)
}

func appendTwo(dst []byte, n int) []byte { return append(dst, byte('0'+n/10), byte('0'+n%10)) }

// civil returns the date of a day counted from 1 January 1970, in the Gregorian calendar. It counts years from
// March, so that a leap day is the last day of its year; 400 years have 146,097 days.
func civil(days int64) (year, month, date int) {
	days += 719_468 // from 1 March of the year 0
	era := days / 146_097
	if days < 0 {
		era = (days - 146_096) / 146_097
	}
	n := days - era*146_097
	y := (n - n/1460 + n/36_524 - n/146_096) / 365
	n -= 365*y + y/4 - y/100
	m := (5*n + 2) / 153
	date = int(n-(153*m+2)/5) + 1
	if month = int(m) + 3; month > 12 {
		month -= 12
		y++
	}
	return int(y + era*400), month, date
}
