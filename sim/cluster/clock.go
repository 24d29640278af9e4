package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// clockTrips is how often the coordinator's clock is asked for; the quickest answer counts.
const clockTrips = 9

// compareClocks returns how far our wall clock is ahead of the coordinator's, and how wrong that can be at
// most: half of the round trip.
func compareClocks(ctx context.Context, conn *nats.Conn) (ahead, bound time.Duration, err error) {
	best := time.Duration(-1)
	for range clockTrips {
		ctx, cancel := context.WithTimeout(ctx, patience)
		before := time.Now()
		m, err := request(ctx, conn, subjectClock, nil)
		trip := time.Since(before)
		cancel()
		if err != nil {
			return 0, 0, fmt.Errorf("compare clocks: %w", err)
		}
		var theirs int64
		if err := json.Unmarshal(m.Data, &theirs); err != nil {
			return 0, 0, fmt.Errorf("compare clocks: %w", err)
		}
		if best < 0 || trip < best {
			best = trip
			ahead = time.Duration(before.UnixNano() + int64(trip/2) - theirs)
		}
	}
	return ahead, best / 2, nil
}
