package sim

import (
	"slices"
	"testing"
	"time"
)

func seconds(list ...float64) []time.Duration {
	var out []time.Duration
	for _, s := range list {
		out = append(out, time.Duration(s*float64(time.Second)))
	}
	return out
}

// TestRetrySpecimens pins the delays of the first attempts after an established session was lost:
// with a draw of 0 (the longest jittered delay), and with one of almost 1 (the shortest).
func TestRetrySpecimens(t *testing.T) {
	type row struct{ zero, half []time.Duration }
	want := map[string]row{
		"full-jitter":     {seconds(1, 2, 4, 8, 16, 32, 60, 60), seconds(.5, 1, 2, 4, 8, 16, 30, 30)},
		"paho-go-default": {seconds(0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600), seconds(0, 1, 2, 4, 8, 16, 32)},
		"fixed-20s":       {seconds(20, 20, 20), seconds(20, 20, 20)},
		"fixed-10s":       {seconds(10, 10, 10), seconds(10, 10, 10)},
		"fixed-5s":        {seconds(5, 5, 5), seconds(5, 5, 5)},
		"impatient-124":   {seconds(1, 2, 4, 4, 4), seconds(1, 2, 4, 4, 4)},
		"aws-py-v1":       {seconds(1, 2, 4, 8, 16, 32, 32), seconds(1, 2, 4, 8, 16, 32, 32)},
		"jitter-20pct":    {seconds(1, 2, 4, 8, 16, 32, 60, 60), seconds(.9, 1.8, 3.6, 7.2, 14.4, 28.8, 54, 54)},
		"nerves-list": {seconds(1, 2, 4, 6, 9, 13, 19, 27, 37, 48, 60, 60, 60),
			seconds(.9, 1.8, 3.6, 5.4, 8.1, 11.7, 17.1, 24.3, 33.3, 43.2, 54, 54)},
		"nats-tls-jitter": {seconds(2, 2, 2), seconds(2.5, 2.5, 2.5)},
		"ntp-netgear":     {seconds(1, 1, 1, 1), seconds(1, 1, 1, 1)},
		"give-up":         {seconds(1), seconds(1)},
		"zombie":          {nil, nil},
	}
	names := RetryNames()
	if !slices.IsSorted(names) {
		t.Errorf("names are not sorted: %q", names)
	}
	for _, name := range names {
		w, ok := want[name]
		if !ok {
			t.Errorf("%s has no row here", name)
			continue
		}
		delete(want, name)
		r, _ := RetrySpecimen(name)
		checkDelays(t, name, r, w.zero, 0)
		checkDelays(t, name, r, w.half, 0.5)
	}
	for name := range want {
		t.Errorf("%s is gone", name)
	}
	for name, attempts := range map[string]int{"give-up": 2, "zombie": 1} {
		r, _ := RetrySpecimen(name)
		if d, ok := r.Delay(attempts, true, func() float64 { return 0 }); ok {
			t.Errorf("%s: attempt %d comes after %v, want none", name, attempts, d)
		}
	}
}

func checkDelays(t *testing.T, name string, r Retry, want []time.Duration, draw float64) {
	t.Helper()
	for i, w := range want {
		got, ok := r.Delay(i+1, true, func() float64 { return draw })
		if !ok || (got-w).Abs() > time.Microsecond {
			t.Errorf("%s, draw %v: attempt %d after %v (%t), want %v", name, draw, i+1, got, ok, w)
		}
	}
}

func TestRetryBeforeAnySession(t *testing.T) {
	r, _ := RetrySpecimen("PAHO-go-default")
	for i, want := range seconds(1, 2, 4) {
		if got, ok := r.Delay(i+1, false, func() float64 { return 0 }); !ok || got != want {
			t.Errorf("attempt %d after %v, want %v", i+1, got, want)
		}
	}
	if _, ok := RetrySpecimen("no such"); ok {
		t.Error("found a specimen that does not exist")
	}
}

func TestRetryDefaultsAndEdges(t *testing.T) {
	zero := func() float64 { return 0 }
	if d, ok := (Retry{}).Delay(3, true, zero); !ok || d != 4*time.Second {
		t.Errorf("zero value: %v, %t", d, ok)
	}
	if _, ok := (Retry{MaxAttempt: 2}).Delay(3, true, zero); ok {
		t.Error("a limit of attempts alone is forgotten")
	}
	if d, ok := (Retry{Extra: Duration(time.Second), Factor: 2}).Delay(5000, true, zero); !ok || d != 0 {
		t.Errorf("only a draw, attempt 5000: %v, %t", d, ok)
	}
	if d, ok := (Retry{Base: Duration(time.Second), Factor: 2}).Delay(5000, true, zero); !ok || d <= 0 {
		t.Errorf("no maximum, attempt 5000: %v, %t", d, ok)
	}
	if d, _ := (Retry{Base: Duration(time.Second), Factor: 0.1}).Delay(9, true, zero); d != time.Second {
		t.Errorf("a factor below 1 shrinks the delay to %v", d)
	}
}

// Only a connection that lasted long enough makes a policy start again: as the story says it, as the library
// does it, or by default as long as the longest wait and at most 30 s.
func TestD2_3_StableTime(t *testing.T) {
	paho, _ := RetrySpecimen("paho-go-default")
	fixed, _ := RetrySpecimen("fixed-5s")
	for _, test := range []struct {
		name  string
		retry Retry
		want  time.Duration
	}{
		{"no policy", Retry{}, 30 * time.Second},
		{"the default", DefaultRetry(), 30 * time.Second},
		{"paho.mqtt.golang", paho, 6 * time.Second},
		{"a library that starts again at once", fixed, 0},
		{"a short backoff", Retry{Base: 1, Stable: StableAfter(Duration(2 * time.Second))}, 2 * time.Second},
	} {
		if !test.retry.IsStable(test.want) || test.want > 0 && test.retry.IsStable(test.want-1) {
			t.Errorf("%s: does not start again after exactly %v", test.name, test.want)
		}
	}
}
