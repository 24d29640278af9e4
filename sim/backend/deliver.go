package backend

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// Deliveries are ours, from the choice of the subscribers to the last acknowledgement; see the package comment for
// why. mochi asks OnSelectSubscribers once for each message, also for wills, but only where somebody has a shared
// subscription. So there always is one, to everything, of nobody: everyFilter. What the hook returns is empty, and
// mochi delivers nothing. Retained messages that a subscription brings are replayed here too (replay).
const everyFilter = "$share/myriad/#"

// farEnd is what the client identifiers of the probe and the operator begin with.
const farEnd = "myriad-"

const (
	letterBatch = 16 << 10 // what one write carries, in bytes, unless a message is larger
	// reasonUnknown is "Packet identifier not found" (MQTT 5 section 3.6.2.1).
	reasonUnknown = 0x92
)

// outgoing is a message as all its subscribers get it.
type outgoing struct {
	packets.Packet
	expires int64 // in seconds since 1970; 0: never
}

func newOutgoing(pk *packets.Packet) *outgoing {
	o := &outgoing{Packet: packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Publish},
		TopicName:   pk.TopicName, Payload: pk.Payload, Properties: pk.Properties.Copy(false),
	}}
	o.Properties.SubscriptionIdentifier = nil
	if in := pk.Properties.MessageExpiryInterval; in > 0 {
		o.expires = pk.Created + int64(in)
	}
	return o
}

func (o *outgoing) expired(now time.Time) bool { return o.expires > 0 && o.expires <= now.Unix() }

// hub has the sessions of all who ever subscribed and may come back. The zero value is ready once log is set.
type hub struct {
	log      *slog.Logger
	sessions sync.Map // client identifier -> *session

	mu      sync.Mutex
	closed  bool
	writers sync.WaitGroup
}

// of is the session of a client; nil if it has none.
func (h *hub) of(id string) *session {
	if s, ok := h.sessions.Load(id); ok {
		return s.(*session)
	}
	return nil
}

// open makes the session of a client unless it has one.
func (h *hub) open(id string) *session {
	if s := h.of(id); s != nil {
		return s
	}
	patience := devicePatience
	if strings.HasPrefix(id, farEnd) {
		patience = farPatience
	}
	s, _ := h.sessions.LoadOrStore(id, &session{patience: patience, begin: h.begin})
	return s.(*session)
}

// join connects the session of a client that is welcomed. present: it goes on.
func (h *hub) join(cl *mochi.Client, present bool) {
	if present {
		h.open(cl.ID)
	}
	s := h.of(cl.ID)
	switch {
	case s == nil:
	case present:
		s.attach(cl, cl.Properties.ProtocolVersion >= 5, cl.Properties.Props.ReceiveMaximum, true)
	default:
		h.sessions.CompareAndDelete(cl.ID, s)
		s.attach(nil, false, 0, false)
	}
}

// subscribes makes sure that the client has a session that is connected.
func (h *hub) subscribes(cl *mochi.Client) {
	if s := h.open(cl.ID); s.absent() {
		s.attach(cl, cl.Properties.ProtocolVersion >= 5, cl.Properties.Props.ReceiveMaximum, true)
		s.start(cl)
	}
}

// part ends the connection of a client, and its session unless that is kept.
func (h *hub) part(cl *mochi.Client, kept bool) {
	s := h.of(cl.ID)
	if s == nil || !s.of(cl) {
		return
	}
	if !kept {
		h.sessions.CompareAndDelete(cl.ID, s)
	}
	s.detach(cl)
}

// begin starts a goroutine that writes what is next in a session. It is what a session calls.
func (h *hub) begin(s *session, to line) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.writers.Go(func() { write(s, to.(*mochi.Client)) })
	return true
}

// end waits until nobody writes any more. The connections must have been closed.
func (h *hub) end() {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	h.writers.Wait()
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// write writes what is next in a session, as much at a time as there is, until nothing is.
func write(s *session, cl *mochi.Client) {
	b := buffers.Get().(*bytes.Buffer)
	defer func() {
		if b.Cap() <= 4*letterBatch {
			buffers.Put(b)
		}
	}()
	for done := false; !done; done = s.idle(cl) {
		for b.Reset(); b.Len() < letterBatch; {
			l, d, any := s.next(cl)
			if !any {
				break
			}
			if !appendLetter(b, &l, cl) {
				s.unsendable(d)
			}
		}
		if b.Len() == 0 || cl.Closed() {
			continue
		}
		cl.Lock() // as mochi's own writes do
		_, err := cl.Net.Conn.Write(b.Bytes())
		cl.Unlock()
		if err != nil {
			cl.Stop(err)
		}
	}
}

// appendLetter appends a packet to b. It reports false, and appends nothing, if the client does not take it.
func appendLetter(b *bytes.Buffer, l *letter, cl *mochi.Client) bool {
	before := b.Len()
	var err error
	var pk packets.Packet
	if l.released {
		pk = packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pubrel, Qos: 1}, PacketID: l.id}
		if pk.ProtocolVersion = cl.Properties.ProtocolVersion; l.unknown {
			pk.ReasonCode = reasonUnknown
		}
		err = pk.PubrelEncode(b)
	} else {
		pk = l.what.Packet
		pk.FixedHeader.Qos, pk.FixedHeader.Retain, pk.FixedHeader.Dup = l.qos, l.retain, l.repeated && l.qos > 0
		pk.PacketID, pk.ProtocolVersion = l.id, cl.Properties.ProtocolVersion
		pk.Properties.SubscriptionIdentifier = l.ids
		pk.Mods.AllowResponseInfo = true // the response topic of a message, as it came
		if l.what.expires > 0 {
			pk.Properties.MessageExpiryInterval = uint32(max(l.what.expires-time.Now().Unix(), 1))
		}
		if cl.Properties.Props.TopicAliasMaximum > 0 {
			alias, known := cl.State.TopicAliases.Outbound.Set(pk.TopicName)
			if pk.Properties.TopicAlias, pk.Properties.TopicAliasFlag = alias, alias > 0; known {
				pk.TopicName = ""
			}
		}
		err = pk.PublishEncode(b)
	}
	most := cl.Properties.Props.MaximumPacketSize
	if err != nil || most > 0 && b.Len()-before > int(most) {
		b.Truncate(before)
		return false
	}
	return true
}

// post hands a message to one subscriber. patient: who publishes waits when the subscriber has no room.
func (h *hub) post(id string, sub *packets.Subscription, pk *packets.Packet, what *outgoing, patient bool) {
	s := h.of(id)
	if s == nil || sub.NoLocal && pk.Origin == id { // [MQTT-3.8.3-3]
		return
	}
	if patient && pk.Origin != id && !s.wait() { // who waited for itself would not hear its own acknowledgements
		h.log.Error("subscriber takes nothing; its messages may be lost", "client", id, "for", s.patience)
	}
	d := &delivery{what: what, qos: min(pk.FixedHeader.Qos, sub.Qos)}
	d.retain = pk.FixedHeader.Retain && (sub.FwdRetainedFlag || sub.RetainAsPublished && s.speaksFive())
	for _, n := range sub.Identifiers {
		if n > 0 {
			d.ids = append(d.ids, n)
		}
	}
	s.put(d)
}

// OnSelectSubscribers delivers a message to all its subscribers, and leaves none to mochi. Of each shared
// subscription it chooses a member, all alike, but none that cannot be sent anything now as long as there are others
// (MQTT 5 section 4.8.2).
func (h *brokerHook) OnSelectSubscribers(to *mochi.Subscribers, pk packets.Packet) *mochi.Subscribers {
	to.SharedSelected = make(map[string]packets.Subscription)
	for filter, members := range to.Shared {
		if filter == everyFilter {
			continue
		}
		var all, able []string
		for id := range members {
			all = append(all, id)
			if s := h.hub.of(id); s != nil && s.able() {
				able = append(able, id)
			}
		}
		if len(able) == 0 {
			able = all
		}
		id := h.member(able, filter, &pk)
		sub := members[id]
		if other, twice := to.SharedSelected[id]; twice {
			sub = other.Merge(sub)
		}
		to.SharedSelected[id] = sub
	}
	to.MergeSharedSelected()
	if len(to.Subscriptions) > 0 {
		what := newOutgoing(&pk)
		for id, sub := range to.Subscriptions {
			h.hub.post(id, &sub, &pk, what, true)
		}
	}
	return new(mochi.Subscribers)
}

// OnSubscribe notes for which filters the retained messages are wanted ([MQTT-3.3.1-9] to [MQTT-3.3.1-11]), and
// leaves none to mochi.
func (h *brokerHook) OnSubscribe(cl *mochi.Client, pk packets.Packet) packets.Packet {
	h.hub.subscribes(cl)
	filters := make(packets.Subscriptions, len(pk.Filters))
	wanted := make([]bool, len(pk.Filters))
	for i, sub := range pk.Filters {
		_, existed := cl.State.Subscriptions.Get(sub.Filter)
		wanted[i] = !mochi.IsSharedFilter(sub.Filter) && (sub.RetainHandling == 0 || sub.RetainHandling == 1 && !existed)
		sub.RetainHandling = 2
		filters[i] = sub
	}
	h.wanted.Store(cl, wanted)
	pk.Filters = filters
	return pk
}

// OnSubscribed notes which filters were granted.
func (h *brokerHook) OnSubscribed(cl *mochi.Client, _ packets.Packet, codes []byte) {
	if list, ok := h.wanted.Load(cl); ok {
		for i := range list.([]bool) {
			list.([]bool)[i] = list.([]bool)[i] && codes[i] <= packets.CodeGrantedQos2.Code
		}
	}
}

// OnPacketProcessed comes when SUBACK has been written: now the retained messages follow.
func (h *brokerHook) OnPacketProcessed(cl *mochi.Client, pk packets.Packet, err error) {
	if pk.FixedHeader.Type == packets.Publish && pk.FixedHeader.Qos == 2 && err != nil {
		h.deliverOwed(cl)
	}
	if pk.FixedHeader.Type != packets.Subscribe {
		return
	}
	list, ok := h.wanted.LoadAndDelete(cl)
	if !ok || err != nil {
		return
	}
	for i, wanted := range list.([]bool) {
		if !wanted {
			continue
		}
		sub := pk.Filters[i]
		sub.FwdRetainedFlag, sub.Identifiers = true, map[string]int{sub.Filter: sub.Identifier}
		for _, kept := range h.kept.matching(sub.Filter) { // [MQTT-3.8.4-4]
			if what := newOutgoing(&kept); !what.expired(time.Now()) {
				h.hub.post(cl.ID, &sub, &kept, what, false)
			}
		}
	}
}

// OnPacketRead takes the acknowledgements of what was delivered. mochi is given one of nothing instead.
func (h *brokerHook) OnPacketRead(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	var a answer
	switch pk.FixedHeader.Type {
	case packets.Puback:
		a = puback
	case packets.Pubrec:
		a = pubrec
	case packets.Pubcomp:
		a = pubcomp
	default:
		return pk, nil
	}
	if s := h.hub.of(cl.ID); s != nil {
		s.hear(cl, a, pk.PacketID, pk.ReasonCode >= packets.ErrUnspecifiedError.Code)
	}
	pk.FixedHeader.Type, pk.PacketID = packets.Puback, 0
	return pk, nil
}
