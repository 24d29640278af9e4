package render

import (
	"math"
	"testing"
	"time"
)

func TestSeconds(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0 s", 1e-9: "1 ns", 250e-9: "250 ns", 1.5e-6: "1.5 µs", 0.00012: "120 µs", 0.0123: "12.3 ms",
		0.012345: "12.3 ms",
		0.2:      "200 ms", 0.9996: "1 s", 0.00099996: "1 ms", 1: "1 s", 1.239: "1.24 s", 12.34: "12.3 s", 96: "96 s",
		119.4: "119 s",
		120:   "2 min", 125.4: "2 min 5 s", 3599.7: "60 min", 7200: "2 h", 12000: "3 h 20 min", 4e6: "1,111 h 7 min",
		-0.0123:    "-12.3 ms",
		math.NaN(): "?", math.Inf(1): "?", math.Inf(-1): "?",
	} {
		if got := Seconds(v); got != want {
			t.Errorf("Seconds(%v) = %q, want %q", v, got, want)
		}
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0", 7: "7", 999: "999", 1000: "1,000", 250000: "250,000", 1234567: "1,234,567", -1000: "-1,000",
		math.MaxInt64: "9,223,372,036,854,775,807", math.MinInt64: "-9,223,372,036,854,775,808",
	} {
		if got := Count(n); got != want {
			t.Errorf("Count(%d) = %q, want %q", n, got, want)
		}
	}
	if got := Count(uint64(math.MaxUint64)); got != "18,446,744,073,709,551,615" {
		t.Errorf("the largest uint64 is %q", got)
	}
}

func TestPercent(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0%", 100: "100%", 50: "50%", 12.345: "12.3%", 99: "99%", 99.5: "99.5%", 99.98: "99.98%", 99.999: "99.999%",
		99.9999999: "99.9999999%", 0.0000123: "0.0000123%", 250: "250%", 1e-12: "0.000000000001%", -3.25: "-3.25%",
	} {
		if got := Value(v, "%"); got != want {
			t.Errorf("Value(%v) = %q, want %q", v, got, want)
		}
	}
}

func TestRateAndValue(t *testing.T) {
	for v, want := range map[float64]string{0: "0/s", 0.5: "0.5/s", 1234: "1,234/s", 12.345: "12.3/s",
		1234.5: "1,230/s", 0.0333333: "0.0333/s"} {
		if got := Rate(v); got != want {
			t.Errorf("Rate(%v) = %q, want %q", v, got, want)
		}
	}
	for _, c := range []struct {
		v    float64
		unit string
		want string
	}{
		{0.2, "s", "200 ms"}, {99.5, "%", "99.5%"}, {40, "1/s", "40/s"}, {1, "messages", "1 message"},
		{3, "messages", "3 messages"},
		{-1, "devices", "-1 device"}, {1, "times", "1 time"}, {12000, "devices", "12,000 devices"},
		{2.5, "", "2.5"}, {math.NaN(), "messages", "? messages"},
	} {
		if got := Value(c.v, c.unit); got != c.want {
			t.Errorf("Value(%v, %q) = %q, want %q", c.v, c.unit, got, c.want)
		}
	}
	if got := signed(0.05, "s") + signed(-2, "messages") + signed(0, "%"); got != "+50 ms-2 messages0%" {
		t.Errorf("margins %q", got)
	}
}

func TestPairTellsApart(t *testing.T) {
	for _, c := range []struct {
		v, limit    float64
		unit        string
		want, wantL string
	}{
		{0.2, 0.2, "s", "200 ms", "200 ms"}, {0.20004, 0.2, "s", "200.04 ms", "200 ms"},
		{1.5, 0.2, "s", "1.5 s", "200 ms"},
		{125.4, 125, "s", "125.4 s", "125 s"}, {12.34, 12.3, "%", "12.34%", "12.3%"}, {math.NaN(), 1, "s", "?", "1 s"},
		{1234.5, 1230, "1/s", "1,234/s", "1,230/s"},
	} {
		if v, l := Pair(c.v, c.limit, c.unit); v != c.want || l != c.wantL {
			t.Errorf("Pair(%v, %v, %q) = %q, %q, want %q, %q", c.v, c.limit, c.unit, v, l, c.want, c.wantL)
		}
	}
}

func TestClock(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0:00", 7 * time.Second: "0:07", 90*time.Second + 900*time.Millisecond: "1:30",
		3723 * time.Second: "1:02:03", -5 * time.Second: "-0:05", math.MinInt64: "-2562047:47:16", -1: "0:00",
	} {
		if got := clock(d); got != want {
			t.Errorf("clock(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestPercentileNeedsSamples(t *testing.T) {
	for _, c := range []struct {
		n    int64
		q    float64
		want string
	}{{0, .5, "-"}, {1, .5, "~1 s"}, {2, .5, "1 s"}, {99, .99, "~1 s"}, {100, .99, "1 s"}, {999, .999,
		"~1 s"}, {1000, .999, "1 s"}, {1, 0, "1 s"}} {
		if got := percentile(1, c.n, c.q); got != c.want {
			t.Errorf("%d samples, quantile %v: %q, want %q", c.n, c.q, got, c.want)
		}
	}
}
