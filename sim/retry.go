package sim

import (
	"math"
	"slices"
	"strings"
	"time"
)

// Retry is a reconnect policy as data. The delay before attempt n (from 1, counted since the last
// stable connection) is min(Max, Base*Factor^(n-1)), spread by Jitter; or List, its last entry
// repeated. A policy that names no delay at all (Base, List, Extra, Immediate) is [DefaultRetry].
type Retry struct {
	Name       string     `json:"name,omitempty"`
	Immediate  bool       `json:"immediate,omitempty"` // attempt 1 after an established session comes at once
	Base       Duration   `json:"base,omitempty"`
	Max        Duration   `json:"max,omitempty"`
	Factor     float64    `json:"factor,omitempty"`
	Jitter     float64    `json:"jitter,omitempty"` // 0..1: the delay is drawn from [d*(1-Jitter), d]
	Extra      Duration   `json:"extra,omitempty"`  // plus a draw from [0, Extra]
	List       []Duration `json:"list,omitempty"`
	MaxAttempt int        `json:"max_attempts,omitempty"` // then it gives up; 0 is never
	Stable     Duration   `json:"stable,omitempty"`       // a connection this old resets the count; 0: every connection does
	Zombie     bool       `json:"zombie,omitempty"`       // never notices, never retries
}

// DefaultRetry returns the policy of devices that declare none: full jitter, 1 s doubling to 60 s.
func DefaultRetry() Retry {
	r := Retry{Name: "full-jitter", Base: Duration(time.Second), Max: Duration(time.Minute), Factor: 2, Jitter: 1}
	r.Stable = StableAfter(r.Max)
	return r
}

// maxStable is what aws-c-mqtt takes (min_connected_time_to_reset_reconnect_delay_ms).
const maxStable = 30 * time.Second

// StableAfter is the Stable of a policy that does not say it: as long as its longest wait, at most 30 s. If it
// were 0, a server that accepts a connection and closes it would be called again after the first wait for ever.
// If it is the longest wait, no answer of a server makes a device call more often than with that wait alone,
// but for the few first waits. More than 30 s helps no server, and after an outage a device would wait too long.
func StableAfter(longest Duration) Duration { return min(longest, Duration(maxStable)) }

// IsStable reports whether a connection that lasted so long makes the policy start again from its first wait.
func (r Retry) IsStable(lasted time.Duration) bool { return lasted >= r.orDefault().Stable.D() }

// orDefault is r, or [DefaultRetry] if r names no delay.
func (r Retry) orDefault() Retry {
	if r.Base != 0 || len(r.List) > 0 || r.Extra != 0 || r.Immediate {
		return r
	}
	d := DefaultRetry()
	r.Base, r.Max, r.Factor, r.Jitter = d.Base, d.Max, d.Factor, d.Jitter
	if r.Stable == 0 {
		r.Stable = d.Stable
	}
	return r
}

// Delay returns the wait before attempt n (from 1) and false when the policy has given up. draw
// returns a number in [0, 1); established says that a session had been established before the loss.
func (r Retry) Delay(n int, established bool, draw func() float64) (time.Duration, bool) {
	r = r.orDefault()
	if r.Zombie || r.MaxAttempt > 0 && n > r.MaxAttempt {
		return 0, false
	}
	if r.Immediate && established {
		if n == 1 {
			return 0, true
		}
		n--
	}
	var d float64
	switch {
	case len(r.List) > 0:
		d = float64(r.List[min(n, len(r.List))-1])
	case r.Base > 0: // 0 times a power that overflowed is no number
		d = float64(r.Base) * math.Pow(max(r.Factor, 1), float64(n-1))
	}
	if r.Max > 0 {
		d = min(d, float64(r.Max))
	}
	d = min(d, math.MaxInt64/4)
	if r.Jitter > 0 {
		d -= d * r.Jitter * draw()
	}
	if r.Extra > 0 {
		d += float64(r.Extra) * draw()
	}
	return time.Duration(d), true
}

// RetrySpecimen returns the named policy. Each was seen in the field.
func RetrySpecimen(name string) (Retry, bool) {
	for _, r := range retrySpecimens() {
		if strings.EqualFold(r.Name, name) {
			return r, true
		}
	}
	return Retry{}, false
}

// RetryNames lists the specimens, sorted.
func RetryNames() []string {
	var names []string
	for _, r := range retrySpecimens() {
		names = append(names, r.Name)
	}
	slices.Sort(names)
	return names
}

func retrySpecimens() []Retry {
	s := func(f float64) Duration { return Duration(f * float64(time.Second)) }
	return []Retry{
		DefaultRetry(),
		// eclipse/paho.mqtt.golang backoff.go: 1 s doubling to 10 min, no jitter, first retry at once; it starts
		// again when two losses are apart by more than the wait between them and twice the 3 s of client.go.
		{Name: "paho-go-default", Immediate: true, Base: s(1), Max: s(600), Factor: 2, Stable: s(6)},
		// emqx#2851, nats-tcl#33, PicoMQTT#74.
		{Name: "fixed-20s", Base: s(20), Factor: 1},
		{Name: "fixed-10s", Base: s(10), Factor: 1},
		{Name: "fixed-5s", Base: s(5), Factor: 1},
		// homeassistant-blitzortung#302.
		{Name: "impatient-124", Base: s(1), Factor: 2, Max: s(4)},
		// aws-iot-device-sdk-python#156.
		{Name: "aws-py-v1", Base: s(1), Max: s(32), Factor: 2, Stable: s(20)},
		// meshmonitor#3241: 1 to 60 s with a fifth of jitter.
		{Name: "jitter-20pct", Base: s(1), Max: s(60), Factor: 2, Jitter: 0.2},
		// nerves_hub_link#99.
		{Name: "nerves-list", Jitter: 0.2, List: []Duration{s(1), s(2), s(4), s(6), s(9), s(13), s(19), s(27), s(37), s(48), s(60)}},
		// nats.go#563: wait plus a draw, larger for TLS.
		{Name: "nats-tls-jitter", Base: s(2), Factor: 1, Extra: s(1)},
		// RFC 4085 appendix A.
		{Name: "ntp-netgear", Base: s(1), Factor: 1},
		// azure-iot-sdk-java#304.
		{Name: "give-up", Base: s(1), Factor: 1, MaxAttempt: 1},
		// MQTTnet#2248.
		{Name: "zombie", Zombie: true},
	}
}
