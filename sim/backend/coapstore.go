package backend

import (
	"context"
	"hash/crc32"
	"sync"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/message/pool"
)

const (
	maxResources = 1 << 20 // paths that are put to or observed; a PUT to another is answered 4.13
	maxStored    = 64 << 10
	maxTransfer  = 1 << 20 // of a body in blocks
	maxTransfers = 4       // of one peer at a time
	maxRelations = 64      // of one peer; a registration above that is answered like a plain GET

	notifyFirst = 2 * time.Second // ACK_TIMEOUT
	notifyTries = 5               // MAX_RETRANSMIT + 1
	notifyTick  = 250 * time.Millisecond

	// numberEvery is a tick of the clock that Observe numbers follow: 16,384 in a second, half of what RFC 7641
	// section 4.4 allows at most, and more than a resource changes.
	numberEvery = time.Second / (1 << 14)
)

// store holds the representations that were put, and who observes them (RFC 7641), over whichever
// transport. The zero value is ready.
type store struct {
	mu        sync.Mutex
	resources map[string]*resource
	pending   map[pendingKey]*observer          // unacknowledged notifications
	relations map[string]map[*observer]struct{} // by client
	nextID    uint16
}

type resource struct {
	body      []byte
	format    message.MediaType
	version   uint32               // of body: how often it was put
	last      uint64               // Observe number, of which 24 bits are sent
	observers map[string]*observer // by client and token
}

// client is the sender of a request, and how its notifications are sent.
type client struct {
	name string // of the peer's address, or of its connection
	// send hands a datagram over, which may be lost. It must not block.
	send func(m *pool.Message)
	box  *postbox // instead of send, for a client over TCP
}

// observer is one relation. A new state replaces one that is under way. Notifications in datagrams are
// confirmable: four repetitions without an answer, or a reset, end the relation.
type observer struct {
	key   string
	of    *resource
	by    client
	token message.Token

	id    uint16
	tries int // of the notification in flight; 0: none
	wait  time.Duration
	next  time.Time
}

type pendingKey struct {
	client string
	id     uint16
}

func (s *store) resource(path string) *resource {
	r := s.resources[path]
	if r == nil && len(s.resources) < maxResources {
		if s.resources == nil {
			s.resources, s.pending = make(map[string]*resource), make(map[pendingKey]*observer)
			s.relations = make(map[string]map[*observer]struct{})
			// A client knows the ids that it had from this address before a restart (RFC 7252 section 4.4).
			s.nextID = uint16(time.Now().UnixMilli())
		}
		r = &resource{format: message.TextPlain}
		s.resources[path] = r
	}
	return r
}

// number is the next Observe number: above all before it that a client has for this resource, also those
// from before a restart of the server (RFC 7641 section 4.4), which is why it follows the clock.
func (r *resource) number(now time.Time) uint32 {
	r.last = max(r.last+1, uint64(now.UnixNano()/int64(numberEvery)))
	return uint32(r.last & 0xffffff)
}

// put stores a representation and notifies the observers.
func (s *store) put(path string, body []byte, format message.MediaType) codes.Code {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.resource(path)
	if r == nil || len(body) > maxStored {
		return codes.RequestEntityTooLarge
	}
	r.body, r.format = append([]byte(nil), body...), format
	r.version++
	for _, o := range r.observers {
		s.settle(o)
		if o.by.box != nil {
			o.by.box.post(o)
			continue
		}
		o.tries, o.wait = 0, notifyFirst
		s.send(o, time.Now())
	}
	return codes.Changed
}

// settle forgets the notification in flight.
func (s *store) settle(o *observer) {
	if o.tries > 0 {
		delete(s.pending, pendingKey{o.by.name, o.id})
	}
	o.tries = 0
}

// drop ends a relation.
func (s *store) drop(o *observer) {
	s.settle(o)
	if o.of.observers[o.key] != o {
		return
	}
	delete(o.of.observers, o.key)
	mine := s.relations[o.by.name]
	if delete(mine, o); len(mine) == 0 {
		delete(s.relations, o.by.name)
	}
}

// leave ends the relations of a client whose connection is over (RFC 8323 section 7.4).
func (s *store) leave(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for o := range s.relations[name] {
		s.drop(o)
	}
}

// send sends the present state to o, as a new notification or a repetition of one.
func (s *store) send(o *observer, now time.Time) {
	if o.tries == 0 {
		s.nextID++
		o.id = s.nextID
		s.pending[pendingKey{o.by.name, o.id}] = o
	}
	o.tries++
	o.next = now.Add(o.wait)
	o.wait *= 2
	m := pool.NewMessage(context.Background())
	m.SetType(message.Confirmable)
	m.SetMessageID(int32(o.id))
	m.SetToken(o.token)
	m.SetCode(codes.Content)
	o.of.fill(m, 0, inDatagram(6), true)
	o.by.send(m)
}

// cutting is how representations are cut: in blocks of szx, with step bytes in one message.
type cutting struct {
	szx  uint32
	step int
}

// inDatagram is one block at a time.
func inDatagram(szx uint32) cutting { return cutting{min(szx, 6), 16 << min(szx, 6)} }

// fill puts what there is from block num of the representation on into m.
func (r *resource) fill(m *pool.Message, num uint32, k cutting, observed bool) bool {
	from := int(num) * (16 << min(k.szx, 6)) // BERT counts blocks of 1,024 bytes
	if from > 0 && from >= len(r.body) {
		return false
	}
	part := r.body[from:min(from+k.step, len(r.body))]
	tag := crc32.ChecksumIEEE(r.body) ^ r.version
	_ = m.SetETag([]byte{byte(tag >> 24), byte(tag >> 16), byte(tag >> 8), byte(tag)}) // 4 bytes are valid
	if observed {
		m.SetObserve(r.number(time.Now()))
	}
	more := from+k.step < len(r.body)
	if more || num > 0 {
		v := num<<4 | k.szx
		if more {
			v |= 8
		}
		m.SetOptionUint32(message.Block2, v)
	}
	if len(part) > 0 {
		m.SetContentFormat(r.format)
		m.SetBody(newBody(part))
	}
	return true
}

// answered takes an acknowledgement or a reset.
func (s *store) answered(client string, id int32, reset bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.pending[pendingKey{client, uint16(id)}]; o != nil {
		s.settle(o)
		if reset {
			s.drop(o)
		}
	}
}

// repeat repeats what is due, and ends the relations with peers that are silent.
func (s *store) repeat(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.pending {
		switch {
		case now.Before(o.next):
		case o.tries >= notifyTries:
			s.settle(o)
			s.drop(o)
		default:
			s.send(o, now)
		}
	}
}

// get answers a GET into m. A path that is only observed exists, without a representation. The answer to a
// registration over TCP is the first notification, so that no later one can come before it: m is left alone
// then, and the code is 0.
func (s *store) get(m, r *pool.Message, who client, path string) codes.Code {
	s.mu.Lock()
	defer s.mu.Unlock()
	observe, err := r.Observe()
	wants := err == nil && observe == 0 && len(s.relations[who.name]) < maxRelations
	res := s.resources[path]
	if res == nil && wants {
		res = s.resource(path)
	}
	if res == nil {
		return codes.NotFound
	}
	key := who.name + "\x00" + string(r.Token())
	if o := res.observers[key]; o != nil && err == nil {
		s.drop(o)
	}
	if wants {
		o := s.observe(res, key, who, r.Token())
		if who.box != nil {
			who.box.post(o)
			return 0
		}
	}
	num, k := uint32(0), inDatagram(6)
	v, asked := r.GetOptionUint32(message.Block2)
	if asked == nil {
		num, k = v>>4, inDatagram(v&7)
	}
	if who.box != nil {
		k = who.box.cut(len(res.body), v&7, asked == nil)
	}
	if !res.fill(m, num, k, wants) {
		return codes.BadOption
	}
	return codes.Content
}

func (s *store) observe(res *resource, key string, who client, token message.Token) *observer {
	o := &observer{key: key, of: res, by: who, token: append(message.Token(nil), token...)}
	if res.observers == nil {
		res.observers = make(map[string]*observer)
	}
	res.observers[key] = o
	if s.relations[who.name] == nil {
		s.relations[who.name] = make(map[*observer]struct{})
	}
	s.relations[who.name][o] = struct{}{}
	return o
}
