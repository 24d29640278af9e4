package probe

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// Two doors to one broker are one cluster; two brokers are not, and it is said between which nothing came.
func TestJoined(t *testing.T) {
	one, two := startBroker(t, "127.0.0.1:0"), startBroker(t, "127.0.0.1:0")
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := dead.Addr().String()
	_ = dead.Close()
	for name, c := range map[string]struct {
		brokers []string
		want    string // "": they are joined
		wait    time.Duration
	}{
		"one broker, seen twice": {[]string{one.address, one.address}, "", time.Minute},
		"one broker alone":       {[]string{one.address}, "", time.Minute},
		"two brokers":            {[]string{one.address, two.address}, "did not reach a subscriber at " + two.address + ": they are not one cluster", time.Second},
		"one that is not there":  {[]string{one.address, nobody}, nobody, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), c.wait)
			defer cancel()
			err := Joined(ctx, &sim.Plan{}, c.brokers)
			if (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v; want %q", err, c.want)
			}
		})
	}
}
