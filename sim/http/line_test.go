package http

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	nethttp "net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/link"
)

// opener dials by sim/link's own sockets.
func opener(t testing.TB, b sim.Binding) *Opener {
	t.Helper()
	b.Channel = sim.ChannelHTTP
	d, err := link.New(&b, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &Opener{Binding: b, DialConn: d.Dial}
}

// open opens a line to a server of net/http's; the number is of the connections that it took.
func open(t testing.TB, b sim.Binding, h nethttp.HandlerFunc) (*Line, *atomic.Int64) {
	t.Helper()
	taken := new(atomic.Int64)
	s := httptest.NewUnstartedServer(h)
	s.Config.ConnState = func(_ net.Conn, state nethttp.ConnState) {
		if state == nethttp.StateNew {
			taken.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	r, facts, o := opener(t, b).Open(t.Context(), &sim.Caller{ID: "plc-0", Endpoint: s.Listener.Addr().String()})
	if o != sim.OK || facts.Opened.IsZero() || !facts.Established.Equal(facts.Opened) {
		t.Fatalf("open: %v, %+v", o, facts)
	}
	t.Cleanup(func() { r.Close(false) })
	return r.(*Line), taken
}

// got is what a request brought.
type got struct {
	sim.Answer
	body    string
	outcome sim.Outcome
}

func ask(t testing.TB, l *Line, q sim.Request) got {
	t.Helper()
	var body bytes.Buffer
	a, o := l.Request(t.Context(), &q, func(a *sim.Answer, part []byte) error {
		if a.Received != int64(body.Len()) || len(part) == 0 || len(part) > partSize {
			t.Errorf("a part of %d bytes at %d, behind %d", len(part), a.Received, body.Len())
		}
		body.Write(part)
		return nil
	})
	if o == sim.OK && a.Received != int64(body.Len()) {
		t.Errorf("%d bytes, and the answer says %d", body.Len(), a.Received)
	}
	return got{a, body.String(), o}
}

func TestAnswers(t *testing.T) {
	zone := time.FixedZone("GMT", 0)
	type h = map[string]string
	for _, c := range []struct {
		name   string
		q      sim.Request
		status int
		header h
		body   string
		want   sim.Answer
	}{
		{"content", sim.Request{}, 200, h{"ETag": `"v1"`, "Content-Type": "text/plain"}, "hello",
			sim.Answer{Code: 200, Size: 5, Received: 5, ETag: `"v1"`, ContentType: "text/plain"}},
		{"created", sim.Request{Method: "POST", Body: []byte("x")}, 201, h{"Location": "/a/1"}, "",
			sim.Answer{Code: 201, Location: "/a/1"}},
		{"accepted, for later", sim.Request{Method: "POST"}, 202, h{"Retry-After": "7"}, "",
			sim.Answer{Code: 202, RetryAfter: 7 * time.Second}},
		{"no content", sim.Request{Method: "DELETE"}, 204, nil, "", sim.Answer{Code: 204, Size: -1}},
		{"not modified", sim.Request{ETag: `"v1"`}, 304, h{"ETag": `"v1"`}, "", sim.Answer{Code: 304, Size: -1, ETag: `"v1"`}},
		{"redirected", sim.Request{}, 302, h{"Location": "https://elsewhere/x"}, "there",
			sim.Answer{Code: 302, Status: sim.HTTPRedirected, Location: "https://elsewhere/x", Size: 5, Received: 5}},
		{"a head only", sim.Request{Method: "HEAD"}, 200, h{"Content-Length": "77"}, "", sim.Answer{Code: 200, Size: 77}},
		{"bad request", sim.Request{}, 400, nil, "", sim.Answer{Code: 400, Status: sim.HTTPClientError}},
		{"unauthorized", sim.Request{}, 401, nil, "", sim.Answer{Code: 401, Status: sim.HTTPUnauthorized}},
		{"forbidden", sim.Request{}, 403, nil, "", sim.Answer{Code: 403, Status: sim.HTTPUnauthorized}},
		{"not found", sim.Request{}, 404, nil, "none", sim.Answer{Code: 404, Status: sim.HTTPClientError, Size: 4, Received: 4}},
		{"too many", sim.Request{}, 429, h{"Retry-After": "3"}, "",
			sim.Answer{Code: 429, Status: sim.HTTPTooMany, RetryAfter: 3 * time.Second}},
		{"broken", sim.Request{}, 500, nil, "", sim.Answer{Code: 500, Status: sim.HTTPServerError}},
		{"busy, until the past", sim.Request{}, 503, h{"Retry-After": time.Now().In(zone).Add(-time.Hour).Format(time.RFC1123)}, "",
			sim.Answer{Code: 503, Status: sim.HTTPUnavailable}},
		{"a code of nobody's", sim.Request{}, 799, nil, "", sim.Answer{Code: 799, Status: sim.HTTPServerError}},
		{"neither seconds nor a date", sim.Request{}, 503, h{"Retry-After": "-1"}, "", sim.Answer{Code: 503, Status: sim.HTTPUnavailable}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, taken := open(t, sim.Binding{}, func(w nethttp.ResponseWriter, r *nethttp.Request) {
				for k, v := range c.header {
					w.Header().Set(k, v)
				}
				if c.header["Content-Type"] == "" {
					w.Header()["Content-Type"] = nil
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			})
			for n := range 2 { // the second over the same connection: the first left nothing behind
				if got := ask(t, l, c.q); got.outcome != sim.OK || got.body != c.body || got.Answer != c.want {
					t.Errorf("request %d: %v, %q\n got %+v\nwant %+v", n, got.outcome, got.body, got.Answer, c.want)
				}
			}
			if taken.Load() != 1 {
				t.Errorf("%d connections", taken.Load())
			}
		})
	}
}

func TestRetryAfterADate(t *testing.T) {
	at := time.Now().Add(time.Hour).UTC().Format(nethttp.TimeFormat)
	if d := retryAfter(at); d < 59*time.Minute || d > time.Hour {
		t.Errorf("%s is %v away", at, d)
	}
	if d := retryAfter("99999999999999"); d < 24*time.Hour {
		t.Errorf("for ever is %v", d)
	}
}

// What reaches the server.
func TestRequests(t *testing.T) {
	for _, c := range []struct {
		q    sim.Request
		want string
	}{
		{sim.Request{}, "GET / "},
		{sim.Request{Path: "/a/b%20c?x=1&y=%26", Accept: "text/plain"}, "GET /a/b%20c?x=1&y=%26 Accept=text/plain "},
		{sim.Request{Method: "POST", Path: "/p", ContentType: "application/json", Body: []byte("{}")},
			"POST /p Content-Length=2 Content-Type=application/json {}"},
		{sim.Request{Method: "POST", Path: "/p"}, "POST /p Content-Length=0 "},
		{sim.Request{ETag: `"v1"`}, `GET / If-None-Match="v1" `},
		{sim.Request{Offset: 9, ETag: `"v1"`}, `GET / If-Range="v1" Range=bytes=9- `},
		{sim.Request{Offset: 9, ETag: `W/"v1"`}, `GET / Range=bytes=9- `},
		{sim.Request{Offset: 9}, `GET / Range=bytes=9- `},
		{sim.Request{Header: []sim.Field{{Name: "authorization", Value: "TargetToken x"}, {Name: "User-Agent", Value: "plc/2"}, {Name: "Host", Value: "fleet.test"}}},
			`GET / Authorization=TargetToken x User-Agent=plc/2 Host=fleet.test `},
	} {
		l, _ := open(t, sim.Binding{}, func(w nethttp.ResponseWriter, r *nethttp.Request) {
			fmt.Fprintf(w, "%s %s ", r.Method, r.RequestURI)
			for _, k := range []string{"Accept", "Accept-Encoding", "Authorization", "Content-Length", "Content-Type",
				"If-None-Match", "If-Range", "Range", "User-Agent"} {
				if v := r.Header.Get(k); v != "" && v != userAgent {
					fmt.Fprintf(w, "%s=%s ", k, v)
				}
			}
			if !strings.HasPrefix(r.Host, "127.0.0.1:") {
				fmt.Fprintf(w, "Host=%s ", r.Host)
			}
			_, _ = io.Copy(w, r.Body)
		})
		if got := ask(t, l, c.q); got.outcome != sim.OK || got.body != c.want {
			t.Errorf("%+v: %v\n got %q\nwant %q", c.q, got.outcome, got.body, c.want)
		}
	}
}

func TestMistakesOfOurs(t *testing.T) {
	var asked atomic.Int64
	l, _ := open(t, sim.Binding{}, func(nethttp.ResponseWriter, *nethttp.Request) { asked.Add(1) })
	for _, q := range []sim.Request{
		{Method: "GE T"}, {Method: "CONNECT"}, {Path: "no/slash"}, {Path: "http://elsewhere/"}, {Path: "/%zz"},
		{Path: "/a\r\nX: y"}, {Offset: -1}, {Offset: 5, Method: "POST"}, {Header: []sim.Field{{Name: "a b", Value: "c"}}},
	} {
		if got := ask(t, l, q); got.outcome != sim.LocalOther {
			t.Errorf("%+v: %v", q, got.outcome)
		}
	}
	if got := ask(t, l, sim.Request{Header: []sim.Field{{Name: "X", Value: "a\r\nY: b"}}}); got.outcome != sim.OK {
		t.Errorf("a value of two lines: %v", got.outcome)
	}
	l.Close(false)
	l.Close(true)
	if got := ask(t, l, sim.Request{}); got.outcome != sim.LocalOther || asked.Load() != 1 {
		t.Errorf("after the end: %v; %d requests came", got.outcome, asked.Load())
	}
}

func TestPartsOfARepresentation(t *testing.T) {
	file := strings.Repeat("0123456789", 5000)
	tag := `"v1"`
	l, _ := open(t, sim.Binding{}, func(w nethttp.ResponseWriter, r *nethttp.Request) {
		w.Header().Set("ETag", tag)
		if r.URL.Path == "/whole" {
			r.Header.Del("Range")
		}
		nethttp.ServeContent(w, r, "firmware.bin", time.Time{}, strings.NewReader(file))
	})
	size := int64(len(file))
	for _, c := range []struct {
		path, tag    string
		offset       int64
		code         int
		begins, size int64
		body         string
	}{
		{"/f", "", 0, 200, 0, size, file},
		{"/f", `"v1"`, 1, 206, 1, size, file[1:]},
		{"/f", `"v1"`, size - 1, 206, size - 1, size, "9"},
		{"/f", `"v0"`, 30_000, 200, 0, size, file}, // it has changed
		{"/f", "", 30_000, 206, 30_000, size, file[30_000:]},
		{"/whole", `"v1"`, 30_000, 200, 0, size, file}, // a server that knows no ranges
		{"/f", `"v1"`, size, 416, 0, size, ""},
	} {
		got := ask(t, l, sim.Request{Path: c.path, Offset: c.offset, ETag: c.tag})
		if c.code == 416 { // with a text about it, and without the tag
			got.body, got.ETag = "", tag
		}
		if got.outcome != sim.OK || got.Code != c.code || got.Offset != c.begins || got.Size != c.size || got.body != c.body || got.ETag != tag {
			t.Errorf("%+v: %v, %d at %d of %d, %d bytes, %q", c, got.outcome, got.Code, got.Offset, got.Size, len(got.body), got.ETag)
		}
	}
}

// A device goes on over the connection that it has; what the server wants to end is opened again.
func TestConnectionsAreReused(t *testing.T) {
	l, taken := open(t, sim.Binding{}, func(w nethttp.ResponseWriter, r *nethttp.Request) {
		if r.URL.Path == "/last" {
			w.Header().Set("Connection", "close")
		}
		w.(nethttp.Flusher).Flush() // chunked
		_, _ = io.WriteString(w, "part")
		w.(nethttp.Flusher).Flush()
		_, _ = io.WriteString(w, "s")
	})
	for n, c := range []struct {
		path     string
		attempts int
		taken    int64
	}{{"/a", 0, 1}, {"/b", 0, 1}, {"/last", 0, 1}, {"/c", 1, 2}, {"/d", 0, 2}} {
		got := ask(t, l, sim.Request{Path: c.path})
		if got.outcome != sim.OK || got.body != "parts" || got.Size != 5 || got.Attempts != c.attempts || taken.Load() != c.taken {
			t.Errorf("request %d: %+v, %d connections", n, got, taken.Load())
		}
	}
	if l.Close(false); l.wire.conn != nil {
		t.Error("the connection was kept after the end")
	}
}

func TestACancelledContext(t *testing.T) {
	begun := make(chan struct{}, 1)
	l, _ := open(t, sim.Binding{}, func(w nethttp.ResponseWriter, r *nethttp.Request) {
		if r.URL.Path == "/slow" {
			begun <- struct{}{}
			<-r.Context().Done()
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-begun; cancel() }()
	if _, o := l.Request(ctx, &sim.Request{Path: "/slow"}, nil); o != sim.AppUnknown {
		t.Errorf("cancelled under way: %v", o)
	}
	if _, o := l.Request(ctx, &sim.Request{Path: "/quick"}, nil); o != sim.AppUnknown {
		t.Errorf("cancelled before: %v", o)
	}
	if got := ask(t, l, sim.Request{Path: "/quick"}); got.outcome != sim.OK || got.Attempts != 1 {
		t.Errorf("afterwards: %+v", got)
	}
}

// A connection that the peer closed while nobody looked is made again for what may be sent twice.
func TestAConnectionThatWasClosedMeanwhile(t *testing.T) {
	for method, want := range map[string]sim.Outcome{"GET": sim.OK, "PUT": sim.OK, "POST": sim.TCPClosed} {
		s := httptest.NewUnstartedServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
			_, _ = io.Copy(w, r.Body)
		}))
		s.Start()
		r, _, o := opener(t, sim.Binding{}).Open(t.Context(), &sim.Caller{Endpoint: s.Listener.Addr().String()})
		if o != sim.OK {
			t.Fatal(o)
		}
		l := r.(*Line)
		if got := ask(t, l, sim.Request{}); got.outcome != sim.OK {
			t.Fatal(got.outcome)
		}
		s.CloseClientConnections()
		got := ask(t, l, sim.Request{Method: method, Body: []byte("again")})
		if got.outcome == sim.TCPReset && want == sim.TCPClosed {
			want = got.outcome // as the kernel saw it
		}
		if got.outcome != want || want == sim.OK && (got.body != "again" && method == "PUT" || got.Attempts != 1) {
			t.Errorf("%s: %+v", method, got)
		}
		if method == "POST" {
			if got := ask(t, l, sim.Request{Method: method}); got.outcome != sim.OK {
				t.Errorf("the next POST: %v", got.outcome)
			}
		}
		r.Close(false)
		s.Close()
	}
}

func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	for _, o := range []*Opener{opener(t, sim.Binding{}), {}} {
		if r, _, outcome := o.Open(t.Context(), &sim.Caller{Endpoint: address}); r != nil || outcome != sim.TCPRefused {
			t.Errorf("%v, %v", r, outcome)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, outcome := opener(t, sim.Binding{}).Open(ctx, &sim.Caller{Endpoint: address}); outcome != sim.AppUnknown {
		t.Errorf("cancelled: %v", outcome)
	}
}
