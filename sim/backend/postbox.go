package backend

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/message/pool"
	tcpclient "github.com/plgd-dev/go-coap/v3/tcp/client"
)

const (
	baseMessage   = 1152 // what a peer takes that has not said otherwise (RFC 8323 section 5.3.1)
	streamMessage = 8192 // what this server takes, and says so
	// messageFront is more than what a notification has beside its payload: header, token, options.
	messageFront = 64
)

// postbox is the queue of notifications for a connection over TCP. A goroutine of its own sends them, so
// that a client that does not read delays nobody else. The first registration starts the goroutine, the end
// of the connection ends it. A state that is replaced before it was sent is skipped (RFC 7641 section 1.3).
type postbox struct {
	store *store
	conn  *tcpclient.Conn
	name  string

	limit  atomic.Uint32 // the peer's Max-Message-Size
	blocks atomic.Bool   // it has said Block-Wise-Transfer

	// Guarded by store.mu.
	due   []*observer
	begun bool

	wake chan struct{}
	work sync.WaitGroup
}

type postboxKey struct{}

// open makes the postbox of a new connection, and says what this server takes: with both options that is
// BERT too (RFC 8323 section 5.3.2).
func (s *CoAPServer) open(cc *tcpclient.Conn) {
	b := &postbox{store: s.store, conn: cc, name: fmt.Sprintf("%s %p", cc.RemoteAddr(), cc), wake: make(chan struct{}, 1)}
	b.limit.Store(baseMessage)
	cc.SetContextValue(postboxKey{}, b)
	cc.AddOnClose(func() {
		s.store.leave(b.name)
		b.work.Wait()
	})
	m := cc.AcquireMessage(cc.Context())
	defer cc.ReleaseMessage(m)
	m.SetCode(codes.CSM)
	m.SetOptionUint32(message.TCPMaxMessageSize, streamMessage)
	m.SetOptionBytes(message.TCPBlockWiseTransfer, nil)
	if err := cc.Session().WriteMessage(m); err != nil {
		_ = cc.Close() // without a CSM no other message may be sent
	}
}

func postboxOf(cc *tcpclient.Conn) *postbox { return cc.Context().Value(postboxKey{}).(*postbox) }

// capabilities notes what the peer's CSM says. It runs in the goroutine that reads the connection.
func capabilities(cc *tcpclient.Conn, r *pool.Message) (drop bool, err error) {
	if r.Code() != codes.CSM {
		return false, nil
	}
	b := postboxOf(cc)
	if n, err := r.GetOptionUint32(message.TCPMaxMessageSize); err == nil {
		b.limit.Store(n)
	}
	if r.HasOption(message.TCPBlockWiseTransfer) {
		b.blocks.Store(true)
	}
	return false, nil
}

// cut is how a representation of size bytes travels to this peer: whole if it fits and the peer has not
// asked for blocks; else in BERT if the peer knows it and does not ask for less, else in plain blocks.
func (b *postbox) cut(size int, szx uint32, asked bool) cutting {
	limit := int(b.limit.Load())
	room := limit - messageFront
	if !asked && size <= room {
		return cutting{6, size}
	}
	if (!asked || szx == 7) && b.blocks.Load() && limit > baseMessage && room >= 1024 {
		return cutting{7, room &^ 1023}
	}
	k := inDatagram(6)
	if asked {
		k = inDatagram(szx)
	}
	for k.szx > 0 && k.step > room {
		k = inDatagram(k.szx - 1)
	}
	return k
}

// post queues a notification for o. The caller holds store.mu.
func (b *postbox) post(o *observer) {
	if !b.begun {
		b.begun = true
		b.work.Go(b.run)
	}
	if !slices.Contains(b.due, o) {
		b.due = append(b.due, o)
	}
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

func (b *postbox) run() {
	for {
		select {
		case <-b.conn.Context().Done():
			return
		case <-b.wake:
		}
		for m := b.next(); m != nil; m = b.next() {
			err := b.conn.Session().WriteMessage(m)
			b.conn.ReleaseMessage(m)
			if err != nil {
				_ = b.conn.Close()
				return
			}
		}
	}
}

// next is the next notification, nil if there is none.
func (b *postbox) next() *pool.Message {
	s := b.store
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(b.due) > 0 {
		o := b.due[0]
		b.due = slices.Delete(b.due, 0, 1)
		if o.of.observers[o.key] != o {
			continue // cancelled meanwhile
		}
		m := b.conn.AcquireMessage(context.Background())
		m.SetToken(o.token)
		m.SetCode(codes.Content)
		o.of.fill(m, 0, b.cut(len(o.of.body), 0, false), true)
		return m
	}
	return nil
}
