package http

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	nethttp "net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

// scripted runs f in virtual time with a line whose peer reads each request and then does what the script says,
// and closes.
func scripted(t *testing.T, b sim.Binding, script func(far net.Conn, r *nethttp.Request), f func(t *testing.T, l *Line)) {
	t.Helper()
	bubble.Test(t, func(t *testing.T) {
		var peers sync.WaitGroup
		defer peers.Wait()
		o := &Opener{Binding: b, DialConn: func(context.Context, *sim.Caller) (net.Conn, error) {
			near, far := net.Pipe()
			peers.Go(func() {
				defer far.Close()
				if r, err := nethttp.ReadRequest(bufio.NewReader(far)); err == nil {
					script(far, r)
				}
			})
			return near, nil
		}}
		r, _, outcome := o.Open(t.Context(), &sim.Caller{Endpoint: "plc.test:80"})
		if outcome != sim.OK {
			t.Fatal(outcome)
		}
		f(t, r.(*Line))
		r.Close(true)
	})
}

// answering is what happens to a request that is answered by these bytes and the connection's end.
func answering(t *testing.T, text string, q sim.Request) (g got) {
	t.Helper()
	scripted(t, sim.Binding{}, func(far net.Conn, r *nethttp.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(far, text)
	}, func(t *testing.T, l *Line) { g = ask(t, l, q) })
	return g
}

const ok = "HTTP/1.1 200 OK\r\n"

func fields(n int, line string) string { return strings.Repeat(line, n) }

// answers are responses as they might be, and what becomes of them. curl, an independent client, is asked too.
func answers() []struct {
	name, text string
	q          sim.Request
	outcome    sim.Outcome
	body       string
	curl       []int // its exit codes; nil: as ours, OK is 0
} {
	q := sim.Request{}
	part := sim.Request{Offset: 5}
	return []struct {
		name, text string
		q          sim.Request
		outcome    sim.Outcome
		body       string
		curl       []int
	}{
		{"a length", ok + "Content-Length: 5\r\n\r\nhello", q, sim.OK, "hello", nil},
		{"more than its length", ok + "Content-Length: 5\r\n\r\nhello, world", q, sim.OK, "hello", nil},
		{"less than its length", ok + "Content-Length: 50\r\n\r\nhello", q, sim.HTTPIncomplete, "hello", []int{18}},
		{"nothing of its length", ok + "Content-Length: 50\r\n\r\n", q, sim.HTTPIncomplete, "", []int{18}},
		{"two lengths", ok + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", q, sim.HTTPMalformed, "", []int{0, 8, 18}},
		{"a negative length", ok + "Content-Length: -5\r\n\r\nhello", q, sim.HTTPMalformed, "", []int{8}},
		{"a length beyond all", ok + "Content-Length: 99999999999999999999\r\n\r\nhello", q, sim.HTTPMalformed, "", []int{0, 8, 18, 63}},
		{"to the end", ok + "\r\nhello", q, sim.OK, "hello", nil},
		{"of old", "HTTP/1.0 200 OK\r\n\r\nhello", q, sim.OK, "hello", nil},
		{"chunked", ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", q, sim.OK, "hello", nil},
		{"chunked, with a trailer", ok + "Transfer-Encoding: chunked\r\nTrailer: X\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n", q, sim.OK, "hello", nil},
		{"cut in a chunk", ok + "Transfer-Encoding: chunked\r\n\r\n9\r\nhello", q, sim.HTTPIncomplete, "hello", []int{18}},
		{"cut between chunks", ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", q, sim.HTTPIncomplete, "hello", []int{18}},
		{"a chunk of no length", ok + "Transfer-Encoding: chunked\r\n\r\nxyz\r\nhello\r\n0\r\n\r\n", q, sim.HTTPMalformed, "", []int{56}},
		{"a chunk beyond all", ok + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhello", q, sim.HTTPMalformed, "", []int{56}},
		{"a coding of its own", ok + "Transfer-Encoding: rot13\r\n\r\nuryyb", q, sim.HTTPMalformed, "", []int{0, 56, 61}},
		{"interim answers", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + ok + "Content-Length: 2\r\n\r\nhi", q, sim.OK, "hi", nil},
		{"interim answers without end", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 50), q, sim.HTTPMalformed, "", []int{52, 56}},
		{"an upgrade that nobody wanted", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", q, sim.HTTPMalformed, "", []int{0, 1, 52, 56}},
		{"nothing", "", q, sim.TCPClosed, "", []int{52}},
		{"half a head", "HTTP/1.1 200 OK\r\nContent-Le", q, sim.HTTPIncomplete, "", []int{0, 8, 52, 56}},
		{"garbage", "\x16\x03\x01 what is this\r\n\r\n", q, sim.HTTPMalformed, "", []int{0, 1}},
		{"another protocol", "SSH-2.0-OpenSSH_9.2\r\n", q, sim.HTTPMalformed, "", []int{0, 1}},
		{"another version", "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", q, sim.HTTPMalformed, "", []int{0, 1, 16}},
		{"no status", "HTTP/1.1 OK\r\n\r\n", q, sim.HTTPMalformed, "", []int{0, 1}},
		{"a field without a colon", ok + "nonsense\r\nContent-Length: 2\r\n\r\nhi", q, sim.HTTPMalformed, "", []int{0, 8}},
		{"many fields", ok + fields(maxFields+1, "A: b\r\n") + "\r\n", q, sim.HTTPTooLarge, "", []int{0}},
		{"a field that is long", ok + "A: " + strings.Repeat("b", maxHead) + "\r\n\r\n", q, sim.HTTPTooLarge, "", []int{0}},
		{"a head that is long", ok + fields(maxHead/8, "A: bcd\r\n") + "\r\n", q, sim.HTTPTooLarge, "", []int{0, 56}},
		{"a line that is long", "HTTP/1.1 200 " + strings.Repeat("O", 2*maxHead), q, sim.HTTPTooLarge, "", []int{0, 8, 52, 56}},
		{"a body where there is none", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", q, sim.OK, "", nil},
		{"a part", "HTTP/1.1 206 Partial\r\nContent-Range: bytes 5-9/10\r\nContent-Length: 5\r\n\r\nworld", part, sim.OK, "world", nil},
		{"a part that nobody wanted", "HTTP/1.1 206 Partial\r\nContent-Range: bytes 5-9/10\r\n\r\nworld", q, sim.HTTPMalformed, "", []int{0}},
		{"a part of nowhere", "HTTP/1.1 206 Partial\r\nContent-Length: 5\r\n\r\nworld", part, sim.HTTPMalformed, "", []int{0, 33}},
		{"a part of another length", "HTTP/1.1 206 Partial\r\nContent-Range: bytes 5-9/10\r\nContent-Length: 3\r\n\r\nwor", part, sim.HTTPMalformed, "", []int{0}},
		{"several parts", "HTTP/1.1 206 Partial\r\nContent-Type: multipart/byteranges; boundary=x\r\n\r\n--x--\r\n", part, sim.HTTPMalformed, "", []int{0, 33}},
	}
}

func TestAnswersAsTheyMightBe(t *testing.T) {
	for _, c := range answers() {
		t.Run(c.name, func(t *testing.T) {
			if got := answering(t, c.text, c.q); got.outcome != c.outcome || got.body != c.body {
				t.Errorf("%v, %q; want %v, %q", got.outcome, got.body, c.outcome, c.body)
			}
		})
	}
}

func TestContentRanges(t *testing.T) {
	for _, c := range []struct {
		text               string
		from, length, size int64
		ok                 bool
	}{
		{"bytes 5-9/20", 5, 5, 20, true},
		{"Bytes 0-0/1", 0, 1, 1, true},
		{"bytes 5-9/*", 5, 5, -1, true},
		{"bytes 5-9/9", 0, 0, 0, false},
		{"bytes 9-5/20", 0, 0, 0, false},
		{"bytes */20", 0, 0, 0, false},
		{"bytes -5-9/20", 0, 0, 0, false},
		{"bytes 5-+9/20", 0, 0, 0, false},
		{"items 5-9/20", 0, 0, 0, false},
		{"bytes=5-9/20", 0, 0, 0, false},
		{"bytes 5-9", 0, 0, 0, false},
		{"bytes 5-99999999999999999999/*", 0, 0, 0, false},
		{"", 0, 0, 0, false},
	} {
		from, length, size, ok := contentRange(c.text)
		if ok != c.ok || ok && (from != c.from || length != c.length || size != c.size) {
			t.Errorf("%q: %d, %d, %d, %v", c.text, from, length, size, ok)
		}
	}
}

// A peer that never comes to an end meets a bound, a reader who has enough, or the deadline.
func TestEndlessAnswers(t *testing.T) {
	forever := func(text string) func(net.Conn, *nethttp.Request) {
		return func(far net.Conn, _ *nethttp.Request) {
			for _, err := io.WriteString(far, ok); err == nil; {
				_, err = io.WriteString(far, text)
			}
		}
	}
	scripted(t, sim.Binding{}, forever("A: b\r\n"), func(t *testing.T, l *Line) {
		if got := ask(t, l, sim.Request{}); got.outcome != sim.HTTPTooLarge {
			t.Errorf("a header: %v", got.outcome)
		}
	})
	scripted(t, sim.Binding{}, forever("\r\n0123456789"), func(t *testing.T, l *Line) {
		enough, n := errors.New("enough"), 0
		a, o := l.Request(t.Context(), &sim.Request{}, func(_ *sim.Answer, part []byte) error {
			if n += len(part); n > 1<<20 {
				return enough
			}
			return nil
		})
		if o != sim.AppStopped || a.Received > 1<<20 || a.Code != 200 {
			t.Errorf("a body: %v, %+v", o, a)
		}
		if l.wire.conn != nil {
			t.Error("the connection is still there")
		}
	})
	scripted(t, sim.Binding{}, forever("Transfer-Encoding: chunked\r\n\r\n0\r\n"+fields(3000, "A: b\r\n")), func(t *testing.T, l *Line) {
		if got := ask(t, l, sim.Request{}); got.outcome != sim.HTTPMalformed {
			t.Errorf("a trailer: %v", got.outcome)
		}
	})
}

// A peer that says nothing is left after the binding's silence; one that says a byte now and then at the
// deadline of the request.
func TestSlowAnswers(t *testing.T) {
	silence := sim.Binding{Silence: sim.Duration(20 * time.Second)}
	for name, c := range map[string]struct {
		before string
		want   sim.Outcome
	}{
		"nothing": {"", sim.HTTPTimeout}, "half a head": {"HTTP/1.1 2", sim.HTTPTimeout},
		"a head": {ok + "Content-Length: 9\r\n\r\n", sim.HTTPTimeout}, "half a body": {ok + "\r\nx", sim.HTTPTimeout},
	} {
		scripted(t, silence, func(far net.Conn, _ *nethttp.Request) {
			_, _ = io.WriteString(far, c.before)
			_, _ = io.Copy(io.Discard, far)
		}, func(t *testing.T, l *Line) {
			begin := time.Now()
			if got := ask(t, l, sim.Request{}); got.outcome != c.want || time.Since(begin) != 20*time.Second {
				t.Errorf("%s: %v after %v", name, got.outcome, time.Since(begin))
			}
		})
	}
	drip := func(far net.Conn, _ *nethttp.Request) {
		for _, err := io.WriteString(far, ok+"\r\n"); err == nil; time.Sleep(19 * time.Second) {
			_, err = io.WriteString(far, "x")
		}
	}
	scripted(t, silence, drip, func(t *testing.T, l *Line) {
		begin := time.Now()
		ctx := sim.Deadline{Context: t.Context(), At: begin.Add(10 * time.Minute)}
		a, o := l.Request(ctx, &sim.Request{}, nil)
		if o != sim.HTTPTimeout || time.Since(begin) != 10*time.Minute || a.Received != 32 {
			t.Errorf("a drip: %v after %v, %+v", o, time.Since(begin), a)
		}
	})
}

// A peer that takes nothing: the request does not fit into what is on its way.
func TestAPeerThatDoesNotRead(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		o := &Opener{DialConn: func(context.Context, *sim.Caller) (net.Conn, error) { return near, nil }}
		r, _, _ := o.Open(t.Context(), &sim.Caller{})
		begin := time.Now()
		if _, o := r.Request(t.Context(), &sim.Request{}, nil); o != sim.HTTPTimeout || time.Since(begin) != defaultSilence {
			t.Errorf("%v after %v", o, time.Since(begin))
		}
		r.Close(false)
		far.Close()
	})
}

// A server may refuse a request before it has read it all.
func TestAnAnswerBeforeTheRequestIsOver(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = c.Read(make([]byte, 100))
		_, _ = io.WriteString(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno.")
		_ = c.(*net.TCPConn).CloseWrite()
		time.Sleep(50 * time.Millisecond) // for the answer to be there before the reset
		_ = c.Close()
	}()
	r, _, o := opener(t, sim.Binding{}).Open(t.Context(), &sim.Caller{Endpoint: l.Addr().String()})
	if o != sim.OK {
		t.Fatal(o)
	}
	defer r.Close(true)
	got := ask(t, r.(*Line), sim.Request{Method: "POST", Body: make([]byte, 32<<20)})
	if got.Code != 413 && got.outcome != sim.TCPReset { // the reset may throw the answer away: RFC 9112 section 9.6
		t.Errorf("%+v", got)
	}
	if r.(*Line).wire.conn != nil {
		t.Error("the connection is still there")
	}
}

func TestOutcomesOfBrokenConnections(t *testing.T) {
	for _, c := range []struct {
		err   error
		heard bool
		want  sim.Outcome
	}{
		{syscall.ECONNRESET, false, sim.TCPReset},
		{syscall.ECONNRESET, true, sim.TCPReset},
		{io.EOF, false, sim.TCPClosed},
		{io.EOF, true, sim.HTTPIncomplete},
		{io.ErrUnexpectedEOF, true, sim.HTTPIncomplete},
		{context.Canceled, true, sim.AppUnknown},
		{context.DeadlineExceeded, true, sim.HTTPTimeout},
		{errHead, true, sim.HTTPTooLarge},
		{syscall.EMFILE, false, sim.LocalDescriptors},
		{syscall.EINVAL, false, sim.LocalOther},
		{nil, true, sim.HTTPMalformed},
	} {
		w := wire{failed: c.err, heard: c.heard}
		if got := w.broken(); got != c.want {
			t.Errorf("%v: %v, want %v", c.err, got, c.want)
		}
	}
}
