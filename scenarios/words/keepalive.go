package words

import (
	"math"
	"time"
)

// KeepAliveHint is what would be right in place of a keep-alive that does not fit.
const KeepAliveHint = "write whole seconds, 1s to 65535s, which is what MQTT can say"

// KeepAliveFits says whether MQTT can say it: whole seconds, in two bytes (MQTT 5 section 3.1.2.10), and
// not 0, which turns it off.
func KeepAliveFits(d time.Duration) bool {
	return d >= time.Second && d <= math.MaxUint16*time.Second && d%time.Second == 0
}
