package backend

import (
	"sync"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// retained has the messages that the broker keeps for those who subscribe later. It is an index beside mochi's
// own, under a lock: a search for a filter with a wildcard reads there what another client's message is changing
// (TopicsIndex.scanMessages and RetainMessage of mochi 2.7.9). Any goroutine may call it.
type retained struct {
	mu    sync.RWMutex
	index *mochi.TopicsIndex
}

// keep takes a message with RETAIN; an empty one removes what its topic has ([MQTT-3.3.1-6]).
func (r *retained) keep(pk packets.Packet) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.index.RetainMessage(pk.Copy(false))
}

// matching are the messages whose topics match a filter. Some may have expired.
func (r *retained) matching(filter string) []packets.Packet {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.index.Messages(filter)
}

// OnRetainMessage comes when mochi has kept a message, or removed one, and before anybody is sent it.
func (h *brokerHook) OnRetainMessage(_ *mochi.Client, pk packets.Packet, _ int64) { h.kept.keep(pk) }
