package backend

import (
	"sync"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
)

// RFC 7252 section 4.8.2, with the default transmission parameters.
const (
	exchangeLifetime = 247 * time.Second // a CON with the same message id is a duplicate
	nonLifetime      = 145 * time.Second // likewise a NON
)

// memory knows which message ids of which peers were handled, so that a request is executed once however
// often it is sent (RFC 7252 section 4.5). It needs about 20 bytes a message for four to eight minutes. It
// is not bound to go-coap's connections, because go-coap ends one at the first invalid datagram of a peer.
// The zero value is ready.
type memory struct {
	mu    sync.Mutex
	peers map[string]*peer
}

// peer returns what is known of the peer that is called key.
func (m *memory) peer(key string) *peer {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.peers[key]
	if p == nil {
		if m.peers == nil {
			m.peers = make(map[string]*peer)
		}
		p = &peer{born: now}
		m.peers[key] = p
	}
	p.heard = now
	return p
}

// forget drops the peers that were silent for so long that everything about them has expired.
func (m *memory) forget(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, p := range m.peers {
		if now.Sub(p.heard) > exchangeLifetime {
			delete(m.peers, key)
		}
	}
}

// peer remembers the answers given to one peer, in two generations: the young one becomes the old
// one after exchangeLifetime, when everything in the old one has expired.
type peer struct {
	heard time.Time // guarded by memory.mu

	mu         sync.Mutex
	born       time.Time // of the young generation
	young, old map[uint16]answered
}

// answered is a request that was carried out.
type answered struct {
	at   int32 // milliseconds since the generation's birth
	code codes.Code
	non  bool
}

// once sets code to what handle returns, or returned when message id was last seen.
func (p *peer) once(id int32, kind message.Type, handle func() codes.Code, code *codes.Code) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.age(now)
	key := uint16(id)
	a, ok := p.young[key]
	age := now.Sub(p.born) - time.Duration(a.at)*time.Millisecond
	if !ok {
		a, ok = p.old[key]
		age = now.Sub(p.born) + exchangeLifetime - time.Duration(a.at)*time.Millisecond
	}
	lifetime := exchangeLifetime
	if a.non {
		lifetime = nonLifetime
	}
	if ok && age < lifetime {
		*code = a.code
		return
	}
	*code = handle()
	if p.young == nil {
		p.young = make(map[uint16]answered)
	}
	p.young[key] = answered{
		at: int32(now.Sub(p.born) / time.Millisecond), code: *code, non: kind == message.NonConfirmable,
	}
}

// age makes the young generation old, or both nothing, when their time has come.
func (p *peer) age(now time.Time) {
	switch d := now.Sub(p.born); {
	case d >= 2*exchangeLifetime:
		p.young, p.old, p.born = nil, nil, now
	case d >= exchangeLifetime:
		p.young, p.old, p.born = nil, p.young, p.born.Add(exchangeLifetime)
	}
}
