package backend

import (
	"bytes"
	"io"
	"sync"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/message/pool"
)

func newBody(b []byte) io.ReadSeeker { return bytes.NewReader(b) }

// transfers are the bodies that come in blocks (Block1, RFC 7959). go-coap's own assembly knows POST
// and PUT only and breaks off after 3 s. The zero value is ready.
type transfers struct {
	mu   sync.Mutex
	open map[string]map[string]*transfer // by peer; by method, path and Request-Tag
}

type transfer struct {
	body  []byte
	heard time.Time
}

// add takes a block of most at most, of which 7 is BERT: blocks of 1,024 bytes, as many as there are (RFC
// 8323 section 6). body is the whole one when code is 0.
func (t *transfers) add(r *pool.Message, peer, path string, v, most uint32, part []byte) (body []byte, code codes.Code) {
	const optionRequestTag = message.OptionID(292)
	num, more, szx := int(v>>4), v&8 != 0, v&7
	size := 16 << min(szx, 6)
	fits := more && len(part) == size || !more && len(part) <= size
	if szx == 7 {
		fits = !more || len(part) > 0 && len(part)%size == 0
	}
	if szx > most || !fits {
		return nil, codes.BadRequest
	}
	tag, _ := r.GetOptionBytes(optionRequestTag)
	key := string([]byte{byte(r.Code())}) + path + "\x00" + string(tag)
	t.mu.Lock()
	defer t.mu.Unlock()
	mine := t.open[peer]
	if num == 0 {
		delete(mine, key)
		if len(mine) >= maxTransfers {
			clear(mine)
		}
		if mine == nil {
			if t.open == nil {
				t.open = make(map[string]map[string]*transfer)
			}
			mine = make(map[string]*transfer)
			t.open[peer] = mine
		}
		mine[key] = new(transfer)
	}
	x := mine[key]
	if x == nil || num*size != len(x.body) {
		return nil, codes.RequestEntityIncomplete
	}
	if len(x.body)+len(part) > maxTransfer {
		delete(mine, key)
		return nil, codes.RequestEntityTooLarge
	}
	x.body, x.heard = append(x.body, part...), time.Now()
	if more {
		return nil, codes.Continue
	}
	delete(mine, key)
	if len(mine) == 0 {
		delete(t.open, peer)
	}
	return x.body, 0
}

// forget drops the transfers that do not go on.
func (t *transfers) forget(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for peer, mine := range t.open {
		for key, x := range mine {
			if now.Sub(x.heard) > exchangeLifetime {
				delete(mine, key)
			}
		}
		if len(mine) == 0 {
			delete(t.open, peer)
		}
	}
}
