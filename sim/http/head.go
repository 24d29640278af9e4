package http

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	nethttp "net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

const (
	maxFields  = 100
	maxInterim = 5 // 1xx responses before the one that counts
	userAgent  = "myriad"
)

// compose makes the request. Its error is our caller's mistake.
func compose(q *sim.Request, endpoint string) (*nethttp.Request, error) {
	u, err := url.ParseRequestURI(cmp.Or(q.Path, "/"))
	if err != nil || u.Scheme != "" || u.Path == "" {
		return nil, fmt.Errorf("http: %q is not a path", q.Path)
	}
	r := &nethttp.Request{
		Method: cmp.Or(q.Method, nethttp.MethodGet), URL: u, Host: hostOf(endpoint),
		Header: nethttp.Header{"User-Agent": {userAgent}},
	}
	if !isToken(r.Method) || r.Method == nethttp.MethodConnect {
		return nil, fmt.Errorf("http: %q is not a method of a request for a path", q.Method)
	}
	for _, f := range q.Header {
		if !isToken(f.Name) {
			return nil, fmt.Errorf("http: %q is not the name of a field", f.Name)
		}
		r.Header.Set(f.Name, f.Value)
	}
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
	}
	put := func(name, value string) {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	put("Accept", q.Accept)
	switch {
	case q.Offset < 0, q.Offset > 0 && r.Method != nethttp.MethodGet: // RFC 9110 section 14.2
		return nil, errors.New("http: an offset is above 0, and of a GET")
	case q.Offset > 0:
		put("Range", "bytes="+strconv.FormatInt(q.Offset, 10)+"-")
		if !strings.HasPrefix(q.ETag, "W/") { // RFC 9110 section 13.1.5
			put("If-Range", q.ETag)
		}
	default:
		put("If-None-Match", q.ETag)
	}
	if len(q.Body) > 0 {
		put("Content-Type", q.ContentType)
		r.ContentLength, r.Body = int64(len(q.Body)), io.NopCloser(bytes.NewReader(q.Body))
	}
	return r, nil
}

// hostOf is the endpoint as the Host field has it: without the port where it is HTTP's.
func hostOf(endpoint string) string {
	host, port, err := net.SplitHostPort(endpoint)
	if err == nil && port == sim.SchemeHTTP.Port() && !strings.Contains(host, ":") {
		return host
	}
	return endpoint
}

// isToken reports whether s is a token (RFC 9110 section 5.6.2).
func isToken(s string) bool {
	other := func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	}
	return s != "" && strings.IndexFunc(s, other) < 0
}

// idempotent methods may be sent twice (RFC 9110 section 9.2.2).
func idempotent(method string) bool {
	switch method {
	case "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE":
		return true
	}
	return false
}

// receive reads the head of the answer, over interim ones.
func receive(request *nethttp.Request, s *buffer, w *wire) (*nethttp.Response, error) {
	for range maxInterim + 1 {
		r, err := nethttp.ReadResponse(s.in, request)
		if err != nil {
			return nil, err
		}
		fields := 0
		for _, values := range r.Header {
			fields += len(values)
		}
		switch {
		case fields > maxFields:
			return nil, w.note(errHead)
		case r.ProtoMajor != 1, r.StatusCode == nethttp.StatusSwitchingProtocols:
			return nil, errors.New("http: neither HTTP/1 nor asked for")
		case r.StatusCode >= 200:
			w.room = -1
			return r, nil
		}
	}
	return nil, errors.New("http: interim responses without end")
}

// bodied reports whether a response with this status has a body, be it an empty one.
func bodied(r *nethttp.Response) bool {
	return r.Request.Method != nethttp.MethodHead && r.StatusCode != nethttp.StatusNoContent && r.StatusCode != nethttp.StatusNotModified
}

// head puts down what the answer says. An error is one of the message.
func head(a *sim.Answer, q *sim.Request, r *nethttp.Response) error {
	h := r.Header
	a.Code, a.Status = r.StatusCode, statusOf(r.StatusCode)
	a.ContentType, a.ETag, a.Location = h.Get("Content-Type"), h.Get("ETag"), h.Get("Location")
	a.RetryAfter = retryAfter(h.Get("Retry-After"))
	if bodied(r) || r.Request.Method == nethttp.MethodHead && r.StatusCode == nethttp.StatusOK {
		a.Size = r.ContentLength
	}
	switch r.StatusCode {
	case nethttp.StatusPartialContent:
		from, length, size, ok := contentRange(h.Get("Content-Range"))
		if q.Offset == 0 || !ok || r.ContentLength >= 0 && r.ContentLength != length {
			return errors.New("http: a part that was not asked for, or does not say where it belongs")
		}
		a.Offset, a.Size = from, size
	case nethttp.StatusRequestedRangeNotSatisfiable:
		_, text, _ := strings.Cut(h.Get("Content-Range"), "*/")
		if size, ok := decimal(text); ok {
			a.Size = size
		}
	}
	return nil
}

// contentRange reads "bytes 5-9/20" (RFC 9110 section 14.4); size is -1 for one that is unknown.
func contentRange(text string) (from, length, size int64, ok bool) {
	unit, text, _ := strings.Cut(text, " ")
	part, whole, _ := strings.Cut(text, "/")
	first, last, _ := strings.Cut(part, "-")
	from, ok1 := decimal(first)
	to, ok2 := decimal(last)
	size, ok3 := decimal(whole)
	if whole == "*" {
		size, ok3 = -1, true
	}
	ok = strings.EqualFold(unit, "bytes") && ok1 && ok2 && ok3 && from <= to && (size < 0 || to < size)
	return from, to - from + 1, size, ok
}

// decimal reads digits only.
func decimal(text string) (int64, bool) {
	n, err := strconv.ParseUint(text, 10, 63)
	return int64(n), err == nil
}

// retryAfter reads seconds or a date (RFC 9110 section 10.2.3); 0 is neither, or the past.
func retryAfter(text string) time.Duration {
	if n, ok := decimal(text); ok {
		return time.Duration(min(n, 1<<31)) * time.Second
	}
	at, err := nethttp.ParseTime(text)
	if err != nil {
		return 0
	}
	return max(time.Until(at), 0)
}

// statusOf classes a status (RFC 9110 section 15).
func statusOf(code int) sim.Outcome {
	switch {
	case code < 300, code == nethttp.StatusNotModified:
		return sim.OK
	case code < 400:
		return sim.HTTPRedirected
	case code == nethttp.StatusUnauthorized, code == nethttp.StatusForbidden:
		return sim.HTTPUnauthorized
	case code == nethttp.StatusTooManyRequests:
		return sim.HTTPTooMany
	case code < 500:
		return sim.HTTPClientError
	case code == nethttp.StatusServiceUnavailable:
		return sim.HTTPUnavailable
	}
	return sim.HTTPServerError
}
