package coap

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/udp/coder"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
	"github.com/myriad-iot/myriad/sim/internal/peers"
)

// noise is n bytes that follow from n.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16)}).Read(b)
	return b
}

// fetching runs f in virtual time with a line and its peer, which answers pings, and requests by script.
func fetching(t *testing.T, p sim.CoAP, script func(far *peer, a arrival), f func(t *testing.T, l *Line, far *peer)) {
	t.Helper()
	bubble.Test(t, func(t *testing.T) {
		near, end := net.Pipe()
		far := newPeer(end)
		d := &Dialer{Binding: sim.Binding{CoAP: p}, DialConn: func(context.Context, string, sim.Ordinal) (net.Conn, error) {
			return near, nil
		}}
		r, facts, o := d.Open(t.Context(), &sim.Caller{ID: "plc-0", Key: 3})
		if o != sim.OK || facts.Established.Before(facts.Opened) {
			t.Fatalf("open: %v, %+v", o, facts)
		}
		far.play(func(a arrival) { script(far, a) })
		f(t, r.(*Line), far)
		r.Close(false)
		end.Close()
		synctest.Wait()
	})
}

// by answers requests as the file does.
func by(file *peers.File) func(far *peer, a arrival) {
	return func(far *peer, a arrival) {
		if out := file.Answer(a.raw); out != nil {
			far.send(out)
		}
	}
}

// parsed is an arrival's message.
func parsed(a arrival) *message.Message {
	m := &message.Message{Options: make(message.Options, 0, 32)}
	_, _ = coder.DefaultCoder.Decode(a.raw, m) // newPeer has seen that it can be
	return m
}

// wantedAt is the offset of the block that a request asks for.
func wantedAt(m *message.Message) int64 {
	v, _ := m.Options.GetBytes(message.Block2)
	b, _ := parseBlock(v)
	return int64(b.offset())
}

// got is what a request brought.
type got struct {
	sim.Answer
	body    []byte
	outcome sim.Outcome
}

func request(t testing.TB, l sim.Requester, q sim.Request) got {
	t.Helper()
	return requestWithin(t, t.Context(), l, q)
}

func requestWithin(t testing.TB, ctx context.Context, l sim.Requester, q sim.Request) (g got) {
	t.Helper()
	g.Answer, g.outcome = l.Request(ctx, &q, func(a *sim.Answer, part []byte) error {
		if a.Received != int64(len(g.body)) || len(part) == 0 || a.Code == 0 {
			t.Errorf("a part of %d bytes at %d, behind %d: %+v", len(part), a.Received, len(g.body), a)
		}
		g.body = append(g.body, part...)
		return nil
	})
	if g.Received != int64(len(g.body)) {
		t.Errorf("%d bytes, and the answer says %d", len(g.body), g.Received)
	}
	return g
}

// whole checks an answer that has to have all of a file behind an offset.
func whole(t testing.TB, g got, f *peers.File, offset int) {
	t.Helper()
	if g.outcome != sim.OK || g.Code != 205 || g.Status != sim.OK || g.Offset != int64(offset) || g.Size != int64(len(f.Body)) ||
		g.ETag != fmt.Sprintf("%x", f.ETag) || g.ContentType != "application/octet-stream" {
		t.Errorf("%v, %+v", g.outcome, g.Answer)
	}
	if !bytes.Equal(g.body, f.Body[offset:]) {
		t.Errorf("%d bytes, want %d, or others", len(g.body), len(f.Body)-offset)
	}
}

func TestFetchInBlocks(t *testing.T) {
	for _, c := range []struct {
		size, block int
		szx         uint8
		attempts    int
	}{
		{0, 0, 6, 1}, {1, 0, 6, 1}, {1023, 0, 6, 1}, {1024, 0, 6, 1}, {1025, 0, 6, 2}, {10_240, 0, 6, 10}, {10_241, 0, 6, 11},
		{1000, 64, 6, 16},  // we want small ones
		{1000, 16, 6, 63},  // SZX 0 is said too
		{1000, 0, 2, 16},   // the server does
		{1000, 512, 1, 32}, // smaller than ours
		{1000, 32, 5, 32},
	} {
		file := &peers.File{Body: noise(c.size), ETag: []byte{1, 2}, SZX: c.szx}
		fetching(t, sim.CoAP{BlockSize: c.block}, by(file), func(t *testing.T, l *Line, far *peer) {
			for range 2 {
				g := request(t, l, sim.Request{Path: "/firmware"})
				if whole(t, g, file, 0); g.Attempts != c.attempts {
					t.Errorf("%+v: %d datagrams", c, g.Attempts)
				}
			}
		})
	}
}

// One in twenty datagrams is lost, each way: a mebibyte comes whole all the same, by RFC 7252's own repetitions.
func TestAMebibyteOverALossyLink(t *testing.T) {
	file := &peers.File{Body: noise(1 << 20), ETag: []byte("v1"), SZX: 6}
	luck := rand.New(rand.NewPCG(1, 2))
	lost := 0
	script := func(far *peer, a arrival) {
		if luck.Float64() < 0.05 {
			lost++
			return
		}
		if out := file.Answer(a.raw); luck.Float64() >= 0.05 {
			far.send(out)
			return
		}
		lost++
	}
	fetching(t, sim.CoAP{}, script, func(t *testing.T, l *Line, far *peer) {
		sum, begin := sha256.New(), time.Now()
		a, o := l.Request(t.Context(), &sim.Request{Path: "/firmware"}, func(_ *sim.Answer, part []byte) error {
			_, err := sum.Write(part)
			return err
		})
		if want := sha256.Sum256(file.Body); o != sim.OK || !bytes.Equal(sum.Sum(nil), want[:]) || a.Received != 1<<20 {
			t.Fatalf("%v, %+v", o, a)
		}
		if a.Attempts != 1024+lost || lost < 60 {
			t.Errorf("%d datagrams, %d lost", a.Attempts, lost)
		}
		// Each lost datagram costs a timeout: 2 to 3 s, more if it was not the first.
		if took := time.Since(begin); took < time.Duration(lost)*2*time.Second || took > time.Duration(lost)*6*time.Second {
			t.Errorf("it took %v with %d lost", took, lost)
		}
	})
}

func TestFetchGoesOnAtAnOffset(t *testing.T) {
	file := &peers.File{Body: noise(5000), ETag: []byte("v2"), SZX: 5}
	fetching(t, sim.CoAP{}, by(file), func(t *testing.T, l *Line, far *peer) {
		for _, offset := range []int64{1, 511, 512, 513, 1024, 1500, 4999} {
			far.play(func(a arrival) { by(file)(far, a) })
			whole(t, request(t, l, sim.Request{Offset: offset, ETag: "7632"}), file, int(offset))
			if first := wantedAt(parsed(far.arrivals()[0])); first != offset/1024*1024 { // the block in which it lies
				t.Errorf("offset %d: the first block asked for begins at %d", offset, first)
			}
			whole(t, request(t, l, sim.Request{Offset: offset}), file, int(offset))
			whole(t, request(t, l, sim.Request{Offset: offset, ETag: "7631"}), file, 0) // there is another one now
		}
		if g := request(t, l, sim.Request{Offset: 5000, ETag: "7632"}); g.outcome != sim.OK || g.Received != 0 || g.Size != 5000 {
			t.Errorf("all is there: %v, %+v", g.outcome, g.Answer)
		}
		if g := request(t, l, sim.Request{Offset: 8000, ETag: "7632"}); g.outcome != sim.OK || g.Code != 402 || g.Status != sim.CoAPClientError {
			t.Errorf("beyond the end: %v, %+v", g.outcome, g.Answer)
		}
		if g := request(t, l, sim.Request{Offset: 1 << 40}); g.outcome != sim.CoAPTooLarge {
			t.Errorf("beyond all blocks: %v", g.outcome)
		}
	})
	small := &peers.File{Body: noise(700), ETag: []byte("v2"), SZX: 6}
	noBlocks := func(far *peer, a arrival) { // a server that does not know Block2 and ignores it
		m := parsed(a)
		m.Options = m.Options.Remove(message.Block2)
		r := small.Respond(m)
		r.Type, r.MessageID, r.Token = message.Acknowledgement, m.MessageID, m.Token
		far.send(peers.Encode(r))
	}
	fetching(t, sim.CoAP{BlockSize: 128}, noBlocks, func(t *testing.T, l *Line, far *peer) {
		whole(t, request(t, l, sim.Request{Offset: 300, ETag: "7632"}), small, 0)
	})
}

func TestFetchOnlyWhatIsNew(t *testing.T) {
	file := &peers.File{Body: noise(3000), ETag: []byte("v2"), SZX: 6}
	fetching(t, sim.CoAP{}, by(file), func(t *testing.T, l *Line, far *peer) {
		g := request(t, l, sim.Request{ETag: "7632"})
		if g.outcome != sim.OK || g.Code != 203 || g.Status != sim.OK || g.ETag != "7632" || len(g.body) > 0 || g.Size != -1 {
			t.Errorf("%v, %+v", g.outcome, g.Answer)
		}
		whole(t, request(t, l, sim.Request{ETag: "7631"}), file, 0)
	})
}

// What changes under way is no answer.
func TestFetchOfWhatChanges(t *testing.T) {
	old := &peers.File{Body: noise(5000), ETag: []byte("v1"), SZX: 6}
	now := &peers.File{Body: noise(5001), ETag: []byte("v2"), SZX: 6}
	untagged := &peers.File{Body: old.Body, SZX: 6}
	for name, c := range map[string]struct {
		then *peers.File
		want sim.Outcome
	}{"another tag": {now, sim.CoAPIncomplete}, "no tag any more": {untagged, sim.OK}} {
		script := func(far *peer, a arrival) {
			f := old
			if wantedAt(parsed(a)) >= 2048 {
				f = c.then
			}
			far.send(f.Answer(a.raw))
		}
		fetching(t, sim.CoAP{}, script, func(t *testing.T, l *Line, far *peer) {
			if g := request(t, l, sim.Request{}); g.outcome != c.want || g.ETag != "7631" || !bytes.Equal(g.body, old.Body[:g.Received]) {
				t.Errorf("%s: %v, %+v", name, g.outcome, g.Answer)
			}
			if g := request(t, l, sim.Request{Offset: 2048, ETag: "7631"}); c.want != sim.OK && (g.Offset != 0 || g.ETag != "7631") {
				t.Errorf("%s, from there: %v, %+v", name, g.outcome, g.Answer)
			}
		})
	}
}

// Responses by themselves, copies of everything, and blocks that come again after the next.
func TestFetchFromAServerThatAnswersOtherwise(t *testing.T) {
	file := &peers.File{Body: noise(4000), ETag: []byte("v1"), SZX: 5}
	respond := func(a arrival, kind message.Type, id int32) []byte {
		m := parsed(a)
		r := file.Respond(m)
		r.Type, r.MessageID, r.Token = kind, id, m.Token
		return peers.Encode(r)
	}
	for name, script := range map[string]func(far *peer, a arrival){
		"separately": func(far *peer, a arrival) {
			if a.kind == message.Confirmable {
				far.send(ack(a.id))
				far.send(respond(a, message.Confirmable, int32(a.id)+1))
			}
		},
		"separately, before the acknowledgement": func(far *peer, a arrival) {
			if a.kind == message.Confirmable {
				far.send(respond(a, message.Confirmable, int32(a.id)+1))
				far.send(ack(a.id))
			}
		},
		"non-confirmably": func(far *peer, a arrival) {
			if a.kind == message.Confirmable {
				far.send(respond(a, message.NonConfirmable, 7))
			}
		},
		"twice": func(far *peer, a arrival) {
			if a.kind == message.Confirmable {
				far.send(file.Answer(a.raw))
				far.send(file.Answer(a.raw))
			}
		},
		"twice, separately": func(far *peer, a arrival) {
			if a.kind == message.Confirmable {
				for range 2 {
					far.send(ack(a.id))
					far.send(respond(a, message.Confirmable, int32(a.id)+1))
				}
			}
		},
		"with old blocks between": func(far *peer, a arrival) {
			if a.kind != message.Confirmable {
				return
			}
			for _, old := range far.got[:len(far.got)-1] {
				if old.kind == message.Confirmable {
					far.out <- respond(old, message.NonConfirmable, 9)
				}
			}
			far.send(file.Answer(a.raw))
		},
	} {
		fetching(t, sim.CoAP{}, script, func(t *testing.T, l *Line, far *peer) {
			g := request(t, l, sim.Request{})
			if whole(t, g, file, 0); g.Attempts != 8 {
				t.Errorf("%s: %d datagrams", name, g.Attempts)
			}
			for _, a := range far.arrivals() {
				if a.kind == message.Reset {
					t.Errorf("%s: a reset", name)
				}
			}
		})
	}
}

func TestFetchThatFails(t *testing.T) {
	file := &peers.File{Body: noise(3000), ETag: []byte("v1"), SZX: 6}
	// with is the file's answer to the block at an offset, made into something else.
	with := func(offset int64, change func(m *message.Message)) func(far *peer, a arrival) {
		return func(far *peer, a arrival) {
			m := parsed(a)
			r := file.Respond(m)
			r.Type, r.MessageID, r.Token = message.Acknowledgement, m.MessageID, m.Token
			if wantedAt(m) == offset {
				change(&r)
			}
			far.send(peers.Encode(r))
		}
	}
	code := func(c codes.Code) func(m *message.Message) {
		return func(m *message.Message) {
			m.Code, m.Options, m.Payload = c, message.Options{{ID: message.MaxAge, Value: []byte{9}}}, []byte("why")
		}
	}
	option := func(id message.OptionID, v ...byte) func(m *message.Message) {
		return func(m *message.Message) {
			for i := range m.Options {
				if m.Options[i].ID == id {
					m.Options[i].Value = v
				}
			}
		}
	}
	for name, c := range map[string]struct {
		script   func(far *peer, a arrival)
		outcome  sim.Outcome
		code     int
		status   sim.Outcome
		received int64
		retry    time.Duration
	}{
		"not found": {with(0, code(codes.NotFound)), sim.OK, 404, sim.CoAPClientError, 3, 0},
		"a long refusal": {with(0, func(m *message.Message) {
			m.Code, m.Options, m.Payload = codes.Forbidden, message.Options{uintOption(message.Block2, 0x08)}, noise(16)
		}), sim.OK, 403, sim.CoAPClientError, 16, 0},
		"too many":             {with(0, code(codes.TooManyRequests)), sim.OK, 429, sim.CoAPTooMany, 3, 9 * time.Second},
		"unavailable":          {with(0, code(codes.ServiceUnavailable)), sim.OK, 503, sim.CoAPUnavailable, 3, 9 * time.Second},
		"broken":               {with(0, code(codes.InternalServerError)), sim.OK, 500, sim.CoAPServerError, 3, 0},
		"unavailable later":    {with(1024, code(codes.ServiceUnavailable)), sim.CoAPUnavailable, 205, sim.OK, 1024, 9 * time.Second},
		"gone later":           {with(2048, code(codes.NotFound)), sim.CoAPClientError, 205, sim.OK, 2048, 0},
		"class 3":              {with(0, code(codes.Code(3<<5))), sim.CoAPMalformed, 0, sim.OK, 0, 0},
		"continue":             {with(0, code(codes.Continue)), sim.CoAPMalformed, 0, sim.OK, 0, 0},
		"a long block option":  {with(0, option(message.Block2, 1, 2, 3, 4)), sim.CoAPIncomplete, 205, sim.OK, 0, 0},
		"a block of SZX 7":     {with(0, option(message.Block2, 0x0f)), sim.CoAPMalformed, 0, sim.OK, 0, 0},
		"another block first":  {with(0, option(message.Block2, 0x2e)), sim.CoAPIncomplete, 0, sim.OK, 0, 0},
		"another block later":  {with(1024, option(message.Block2, 0x2e)), sim.CoAPIncomplete, 205, sim.OK, 1024, 0},
		"a block of less":      {with(1024, func(m *message.Message) { m.Payload = m.Payload[1:] }), sim.CoAPIncomplete, 205, sim.OK, 1024, 0},
		"a block of nothing":   {with(1024, func(m *message.Message) { m.Payload = nil }), sim.CoAPIncomplete, 205, sim.OK, 1024, 0},
		"a last block of more": {with(2048, func(m *message.Message) { m.Payload = noise(1025) }), sim.CoAPIncomplete, 205, sim.OK, 2048, 0},
		"no block later": {with(1024, func(m *message.Message) { m.Options = m.Options.Remove(message.Block2) }),
			sim.CoAPIncomplete, 205, sim.OK, 1024, 0},
		"a reset":                          {func(far *peer, a arrival) { far.send(rst(a.id)) }, sim.CoAPReset, 0, sim.OK, 0, 0},
		"silence":                          {func(*peer, arrival) {}, sim.CoAPTimeout, 0, sim.OK, 0, 0},
		"silence after an acknowledgement": {func(far *peer, a arrival) { far.send(ack(a.id)) }, sim.CoAPNoResponse, 0, sim.OK, 0, 0},
		"nonsense":                         {func(far *peer, a arrival) { far.send(append(ack(a.id), 0xff, 0xff)) }, sim.CoAPTimeout, 0, sim.OK, 0, 0},
	} {
		fetching(t, sim.CoAP{}, c.script, func(t *testing.T, l *Line, far *peer) {
			g := request(t, l, sim.Request{})
			if g.outcome != c.outcome || g.Code != c.code || g.Status != c.status || g.Received != c.received || g.RetryAfter != c.retry {
				t.Errorf("%s: %v, %+v", name, g.outcome, g.Answer)
			}
			far.play(func(a arrival) { by(file)(far, a) })
			whole(t, request(t, l, sim.Request{}), file, 0) // nothing is left of it
		})
	}
}

// A line is its caller's to give up: by a body that it does not want, its context, or its deadline.
func TestFetchThatIsGivenUp(t *testing.T) {
	file := &peers.File{Body: noise(3000), ETag: []byte("v1"), SZX: 6}
	mute := func(far *peer, a arrival) {
		if wantedAt(parsed(a)) == 0 {
			by(file)(far, a)
		}
	}
	fetching(t, sim.CoAP{}, mute, func(t *testing.T, l *Line, far *peer) {
		a, o := l.Request(t.Context(), &sim.Request{}, func(*sim.Answer, []byte) error { return errors.New("enough") })
		if o != sim.AppStopped || a.Received != 0 || a.Size != 3000 {
			t.Errorf("stopped: %v, %+v", o, a)
		}
		begin := time.Now()
		g := requestWithin(t, sim.Deadline{Context: t.Context(), At: begin.Add(7 * time.Second)}, l, sim.Request{})
		if g.outcome != sim.CoAPTimeout || g.Received != 1024 || time.Since(begin) != 7*time.Second || g.Attempts != 3 {
			t.Errorf("the deadline: %v, %+v after %v", g.outcome, g.Answer, time.Since(begin))
		}
		if g := requestWithin(t, sim.Deadline{Context: t.Context(), At: begin}, l, sim.Request{}); g.outcome != sim.CoAPTimeout || g.Attempts != 0 {
			t.Errorf("too late: %v, %+v", g.outcome, g.Answer)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if g := requestWithin(t, ctx, l, sim.Request{}); g.outcome != sim.AppUnknown || g.Received != 1024 {
			t.Errorf("cancelled: %v, %+v", g.outcome, g.Answer)
		}
		if g := requestWithin(t, ctx, l, sim.Request{}); g.outcome != sim.AppUnknown || g.Attempts != 0 {
			t.Errorf("cancelled before: %v, %+v", g.outcome, g.Answer)
		}
		far.play(func(a arrival) { by(file)(far, a) })
		whole(t, request(t, l, sim.Request{}), file, 0)
		l.Close(true)
		if g := request(t, l, sim.Request{}); g.outcome != sim.LocalOther {
			t.Errorf("after the end: %v", g.outcome)
		}
	})
}

// More blocks than there are message ids: the line waits until they are free again, as any sender has to.
func TestFetchOfMoreBlocksThanMessageIDs(t *testing.T) {
	file := &peers.File{Body: noise(16 * 66_000), ETag: []byte("v1")}
	fetching(t, sim.CoAP{BlockSize: 16}, by(file), func(t *testing.T, l *Line, far *peer) {
		begin := time.Now()
		g := request(t, l, sim.Request{})
		whole(t, g, file, 0)
		if took := time.Since(begin); took < 247*time.Second || took > 260*time.Second || g.Attempts != 66_000 {
			t.Errorf("%v, %d datagrams", took, g.Attempts)
		}
	})
}
