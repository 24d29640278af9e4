package coap

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/peers"
)

// said is a request as text: its code, options and payload.
func said(m *message.Message) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d", m.Code)
	for _, o := range m.Options {
		fmt.Fprintf(&b, " %d:%x", o.ID, o.Value)
	}
	if len(m.Payload) > 0 {
		fmt.Fprintf(&b, " %q", m.Payload)
	}
	return b.String()
}

// The options of requests (RFC 7252 section 5.10, 7959 section 4): 11 is Uri-Path, 15 Uri-Query, 12 Content-Format, 17
// Accept, 4 ETag, 23 Block2, 27 Block1, 28 Size2, 60 Size1.
func TestFetchRequests(t *testing.T) {
	for _, c := range []struct {
		q    sim.Request
		p    sim.CoAP
		want string
	}{
		{sim.Request{}, sim.CoAP{}, "1 28:"},
		{sim.Request{Path: "/a/b?c=1&d"}, sim.CoAP{}, "1 11:61 11:62 15:633d31 15:64 28:"},
		{sim.Request{Path: "/a%2Fb/%c3%a4?x=%26"}, sim.CoAP{}, "1 11:612f62 11:c3a4 15:783d26 28:"},
		{sim.Request{Path: "/a", Accept: "application/json"}, sim.CoAP{}, "1 11:61 17:32 28:"},
		{sim.Request{Path: "/a", Accept: "text/plain"}, sim.CoAP{}, "1 11:61 17: 28:"},
		{sim.Request{Path: "/a", ETag: "0102"}, sim.CoAP{}, "1 4:0102 11:61 28:"},
		{sim.Request{Path: "/a", ETag: "0102", Offset: 2048}, sim.CoAP{}, "1 11:61 23:26 28:"},
		{sim.Request{Path: "/a"}, sim.CoAP{BlockSize: 64}, "1 11:61 23:02 28:"},
		{sim.Request{Path: "/a"}, sim.CoAP{BlockSize: 16}, "1 11:61 23: 28:"},
		{sim.Request{Method: "POST", Path: "/a", ContentType: "application/pkcs10", Body: []byte("x")}, sim.CoAP{}, `2 11:61 12:011e 28: "x"`},
		{sim.Request{Method: "put", Path: "/a", ContentType: "11542", Body: []byte("x")}, sim.CoAP{}, `3 11:61 12:2d16 28: "x"`},
		{sim.Request{Method: "DELETE", Path: "/a", ContentType: "application/json"}, sim.CoAP{}, "4 11:61 28:"},
		{sim.Request{Method: "FETCH", Path: "/a", Body: []byte("q")}, sim.CoAP{}, `5 11:61 28: "q"`},
		{sim.Request{Method: "iPATCH", Path: "/a", Body: []byte("q")}, sim.CoAP{}, `7 11:61 28: "q"`},
		{sim.Request{Method: "POST", Path: "/a", Body: noise(33)}, sim.CoAP{BlockSize: 32}, fmt.Sprintf("2 11:61 27:09 28: 60:21 %q", noise(33)[:32])},
	} {
		var first string
		fetching(t, c.p, func(far *peer, a arrival) {
			if first == "" {
				first = said(parsed(a))
			}
			far.send(piggyback(a, codes.NotFound))
		}, func(t *testing.T, l *Line, far *peer) {
			if g := request(t, l, c.q); g.outcome != sim.OK || g.Code != 404 || first != c.want {
				t.Errorf("%+v: %v, %d\n got %s\nwant %s", c.q, g.outcome, g.Code, first, c.want)
			}
		})
	}
}

func TestFetchMistakesOfOurs(t *testing.T) {
	fetching(t, sim.CoAP{}, func(*peer, arrival) { t.Error("a datagram") }, func(t *testing.T, l *Line, far *peer) {
		for _, q := range []sim.Request{
			{Method: "BREW"}, {Header: []sim.Field{{Name: "A", Value: "b"}}}, {Offset: -1}, {Offset: 1, Method: "POST"},
			{ETag: "xyz"}, {ETag: "010203040506070809"}, {Accept: "application/none"}, {ContentType: "none", Body: []byte("x")},
			{Path: "/%zz"}, {Path: "/%2"}, {Path: "/" + strings.Repeat("x", 256)}, {Path: strings.Repeat("/x", 40)},
		} {
			if g := request(t, l, q); g.outcome != sim.LocalOther || g.Attempts != 0 {
				t.Errorf("%+v: %v", q, g.outcome)
			}
		}
	})
}

// What a device sends may take blocks as well as what it gets.
func TestFetchWithALongRequest(t *testing.T) {
	file := &peers.File{Body: noise(3000), ETag: []byte("v1"), SZX: 6}
	for _, c := range []struct {
		method string
		size   int
		block  int
		up     int // blocks of the request
		again  int // requests after that with its payload
	}{
		{"POST", 100, 0, 1, 0}, {"POST", 5000, 0, 5, 0}, {"POST", 1000, 128, 8, 0}, {"PUT", 1025, 0, 2, 0}, {"FETCH", 100, 0, 1, 2}, {"FETCH", 3000, 0, 3, 0},
	} {
		var body []byte
		up, again := 0, 0
		script := func(far *peer, a arrival) {
			m := parsed(a)
			switch b2 := wantedAt(m); {
			case b2 == 0:
				body = append(body, m.Payload...)
				up++
			case len(m.Payload) > 0:
				again++
			}
			far.send(file.Answer(a.raw))
		}
		fetching(t, sim.CoAP{BlockSize: c.block}, script, func(t *testing.T, l *Line, far *peer) {
			g := request(t, l, sim.Request{Method: c.method, Path: "/x", Body: noise(c.size)})
			if g.outcome != sim.OK || !bytes.Equal(g.body, file.Body) || !bytes.Equal(body, noise(c.size)) || up != c.up || again != c.again {
				t.Errorf("%+v: %v, %+v, %d bytes came in %d blocks, %d again", c, g.outcome, g.Answer, len(body), up, again)
			}
		})
	}
}

// The server may want the blocks of the request smaller, or none of them.
func TestFetchWithALongRequestThatIsNotWanted(t *testing.T) {
	refuse := func(code codes.Code, options ...message.Option) func(far *peer, a arrival) {
		return func(far *peer, a arrival) {
			m := parsed(a)
			v, _ := m.Options.GetBytes(message.Block1)
			if b, _ := parseBlock(v); b.szx > 3 || code != codes.RequestEntityTooLarge {
				far.send(peers.Encode(message.Message{Type: message.Acknowledgement, MessageID: int32(a.id), Token: m.Token, Code: code, Options: options}))
				return
			}
			far.send((&peers.File{Body: []byte("done"), SZX: 6}).Answer(a.raw))
		}
	}
	b1 := message.Option{ID: message.Block1, Value: []byte{0x03}} // 128 bytes
	for name, c := range map[string]struct {
		script  func(far *peer, a arrival)
		outcome sim.Outcome
		code    int
		status  sim.Outcome
	}{
		"smaller":           {refuse(codes.RequestEntityTooLarge, b1), sim.OK, 204, sim.OK},
		"not at all":        {refuse(codes.NotFound), sim.OK, 404, sim.CoAPClientError},
		"too large":         {refuse(codes.RequestEntityTooLarge), sim.OK, 413, sim.CoAPTooLarge},
		"without its place": {refuse(codes.RequestEntityIncomplete), sim.OK, 408, sim.CoAPIncomplete},
		"done, too early":   {refuse(codes.Changed), sim.CoAPIncomplete, 0, sim.OK},
	} {
		fetching(t, sim.CoAP{}, c.script, func(t *testing.T, l *Line, far *peer) {
			g := request(t, l, sim.Request{Method: "POST", Path: "/x", Body: noise(2000)})
			if g.outcome != c.outcome || g.Code != c.code || g.Status != c.status {
				t.Errorf("%s: %v, %+v", name, g.outcome, g.Answer)
			}
		})
	}
}

func TestFetchTellsWhere(t *testing.T) {
	script := func(far *peer, a arrival) {
		far.send(peers.Encode(message.Message{Type: message.Acknowledgement, MessageID: int32(a.id), Token: []byte(a.tok), Code: codes.Created,
			Options: message.Options{{ID: message.LocationPath, Value: []byte("rd")}, {ID: message.LocationPath, Value: []byte("a/b")},
				{ID: message.ContentFormat, Value: []byte{60}}, {ID: message.LocationQuery, Value: []byte("x=1")}, {ID: message.LocationQuery, Value: []byte("y")}}}))
	}
	fetching(t, sim.CoAP{}, script, func(t *testing.T, l *Line, far *peer) {
		g := request(t, l, sim.Request{Method: "POST", Path: "/rd", Body: []byte("x")})
		if g.Code != 201 || g.Location != "/rd/a%2Fb?x=1&y" || g.ContentType != "application/cbor" {
			t.Errorf("%v, %+v", g.outcome, g.Answer)
		}
	})
}

func TestContentFormats(t *testing.T) {
	for text, want := range map[string]string{
		"text/plain": "text/plain", "0": "text/plain", "TEXT/PLAIN": "text/plain", "text/plain; charset=utf-8": "text/plain",
		"application/json": "application/json", "50": "application/json", "application/csrattrs": "application/csrattrs",
		"281": "application/pkcs7-mime; smime-type=certs-only", "11050": "11050", "65535": "65535",
	} {
		f, err := formatOf(text)
		if got := formatName(uint32(f)); err != nil || got != want {
			t.Errorf("%s is %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"65536", "-1", "json", ""} {
		if f, err := formatOf(text); err == nil {
			t.Errorf("%q is %d", text, f)
		}
	}
	if got := formatName(70_000); got != "70000" {
		t.Errorf("no such number is %s", got)
	}
}

// A line that fetches asks for nothing that the binding observes.
func TestFetchObservesNothing(t *testing.T) {
	b := sim.CoAP{Observe: []string{"time"}}
	fetching(t, b, func(*peer, arrival) { t.Error("a datagram") }, func(t *testing.T, l *Line, far *peer) {
		time.Sleep(time.Hour)
		if len(far.arrivals()) > 0 {
			t.Errorf("%+v", far.arrivals())
		}
	})
}
