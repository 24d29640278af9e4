package sim_test

import (
	"errors"
	"testing"

	"github.com/myriad-iot/myriad/sim"
)

// D3 row 5: the address is said once.
func TestD3_5_NotHealthyNamesTheTargetOnce(t *testing.T) {
	for want, e := range map[string]sim.NotHealthy{
		"nothing listens at 127.0.0.1:1: start the target": {Target: "127.0.0.1:1", Err: errors.New("nothing listens at 127.0.0.1:1: start the target")},
		"embedded broker: not ready after 15s":             {Target: "embedded broker", Err: errors.New("not ready after 15s")},
	} {
		if got := e.Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
