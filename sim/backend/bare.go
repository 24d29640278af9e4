package backend

import (
	"context"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// bareLoop is what a broker in virtual time does once a second instead of mochi's own loop, which copies the list of
// all clients four times a second: in a weekend of 1,000 devices that took as long as all else. It ends sessions that have
// expired; nobody reads $SYS there, and messages that are kept do not expire.
type bareLoop struct {
	absent atomic.Bool // some client with a session may be gone
}

// run works until ctx ends.
func (l *bareLoop) run(ctx context.Context, h *brokerHook) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			if l.absent.Swap(false) && l.clear(h, now.Unix()) {
				l.absent.Store(true)
			}
		}
	}
}

// clear ends the sessions that have expired by now, in Unix time, and reports whether others are without a connection.
func (l *bareLoop) clear(h *brokerHook, now int64) (more bool) {
	for id, cl := range h.server.Clients.GetAll() {
		gone := cl.StopTime()
		if gone == 0 {
			continue
		}
		if gone+expiry(cl, h.server) >= now {
			more = true
			continue
		}
		h.OnClientExpired(cl)
		h.server.Clients.Delete(id)
	}
	return more
}

// expiry is for how long a client's session outlives its connection, in seconds.
func expiry(cl *mochi.Client, s *mochi.Server) int64 {
	if p := &cl.Properties; p.ProtocolVersion == 5 && p.Props.SessionExpiryIntervalFlag {
		return int64(p.Props.SessionExpiryInterval)
	}
	return int64(s.Options.Capabilities.MaximumSessionExpiryInterval)
}

// member chooses one of the members of a shared subscription for a message, all alike, and in virtual time always the
// same, so that a run can be repeated.
func (h *brokerHook) member(able []string, filter string, pk *packets.Packet) string {
	if h.bare == nil {
		return able[rand.IntN(len(able))]
	}
	slices.Sort(able)
	sum := fnv.New64a()
	for _, part := range [][]byte{[]byte(filter), []byte(pk.TopicName), pk.Payload} {
		_, _ = sum.Write(part) // it never fails
	}
	return able[sum.Sum64()%uint64(len(able))]
}
