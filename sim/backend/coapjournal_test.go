package backend

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/message/pool"

	"github.com/myriad-iot/myriad/sim/journal"
)

type noRoom struct{}

func (noRoom) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// What could not be recorded is neither acknowledged nor stored, whole or in blocks.
func TestCoAPServerAcceptsNothingWithoutItsJournal(t *testing.T) {
	s := &CoAPServer{journal: journal.NewWriter(noRoom{}, 0), store: new(store)}
	for _, code := range []codes.Code{codes.POST, codes.PUT, codeFETCH, codePATCH, codeIPATCH} {
		for _, blocks := range []bool{false, true} {
			r := pool.NewMessage(context.Background())
			r.SetCode(code)
			r.MustSetPath("/p")
			r.SetContentFormat(message.TextPlain)
			r.SetBody(bytes.NewReader(payload(stamp(1, 1))))
			if blocks {
				r.SetOptionUint32(message.Block1, 6) // the first and last
			}
			if got := s.accept(r, "peer", 6); got != codes.ServiceUnavailable {
				t.Errorf("%v, in blocks %v: answered %v", code, blocks, got)
			}
			if len(s.store.resources) > 0 {
				t.Errorf("%v, in blocks %v: stored", code, blocks)
			}
		}
	}
}
