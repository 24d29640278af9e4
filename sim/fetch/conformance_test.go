package fetch_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/fetch"
)

// What sim.Requester promises, of each channel and transport.
func TestRequesters(t *testing.T) {
	for _, w := range worlds() {
		t.Run(w.name, func(t *testing.T) {
			file := noise(50_000)
			s := newStore(file)
			o, endpoint := w.serve(t, s)
			l, facts, outcome := o.Open(t.Context(), &sim.Caller{ID: "plc-1", Ordinal: 1, Key: 1, Endpoint: endpoint})
			if outcome != sim.OK || facts.Opened.IsZero() || facts.Established.Before(facts.Opened) {
				t.Fatalf("open: %v, %+v", outcome, facts)
			}
			code := func(http, coap int) int {
				if w.http {
					return http
				}
				return coap
			}
			ask := func(ctx context.Context, q sim.Request) (sim.Answer, []byte, sim.Outcome) {
				t.Helper()
				var body []byte
				a, o := l.Request(ctx, &q, func(a *sim.Answer, part []byte) error {
					if a.Received != int64(len(body)) || len(part) == 0 || a.Code == 0 {
						t.Errorf("a part of %d bytes, %+v", len(part), a)
					}
					body = append(body, part...)
					return nil
				})
				if a.Received != int64(len(body)) {
					t.Errorf("%d bytes, %+v", len(body), a)
				}
				return a, body, o
			}
			check := func(what string, ok bool, a sim.Answer, o sim.Outcome) {
				t.Helper()
				if !ok {
					t.Errorf("%s: %v, %+v", what, o, a)
				}
			}

			a, body, outcome := ask(t.Context(), sim.Request{Path: "/file"})
			check("all of it", outcome == sim.OK && a.Code == code(200, 205) && a.Status == sim.OK && bytes.Equal(body, file) &&
				a.Size == 50_000 && a.Offset == 0 && a.ETag != "" && a.ContentType == "application/octet-stream", a, outcome)
			first := a.ETag

			a, body, outcome = ask(t.Context(), sim.Request{Path: "/file", ETag: first})
			check("nothing new", outcome == sim.OK && a.Code == code(304, 203) && a.Status == sim.OK && len(body) == 0 && a.Size == -1, a, outcome)

			for _, offset := range []int64{1, 1024, 30_001, 49_999} {
				a, body, outcome = ask(t.Context(), sim.Request{Path: "/file", ETag: first, Offset: offset})
				check("from an offset", outcome == sim.OK && a.Code == code(206, 205) && bytes.Equal(body, file[offset:]) && a.Offset == offset &&
					a.Size == 50_000 && a.ETag == first, a, outcome)
			}

			other := noise(40_000)
			s.file.Store(&other)
			a, body, outcome = ask(t.Context(), sim.Request{Path: "/file", ETag: first, Offset: 30_000})
			check("what has changed", outcome == sim.OK && bytes.Equal(body, other) && a.Offset == 0 && a.Size == 40_000 && a.ETag != first, a, outcome)
			a, body, outcome = ask(t.Context(), sim.Request{Path: "/file", ETag: first})
			check("what is new", outcome == sim.OK && a.Code == code(200, 205) && bytes.Equal(body, other), a, outcome)

			sent := noise(500)
			a, body, outcome = ask(t.Context(), sim.Request{Method: "POST", Path: "/file", ContentType: "application/octet-stream", Body: sent})
			check("a POST", outcome == sim.OK && a.Code == 201 && a.Status == sim.OK && a.Location == "/file/1" && bytes.Equal(body, tag(sent)), a, outcome)

			a, body, outcome = ask(t.Context(), sim.Request{Path: "/nowhere"})
			check("not found", outcome == sim.OK && a.Code == 404 && a.Status != sim.OK && !a.Status.Local() && len(body) > 0, a, outcome)
			a, _, outcome = ask(t.Context(), sim.Request{Path: "/busy"})
			check("busy", outcome == sim.OK && a.Code == 503 && a.RetryAfter == 7*time.Second &&
				(a.Status == sim.HTTPUnavailable || a.Status == sim.CoAPUnavailable), a, outcome)

			a, outcome = l.Request(t.Context(), &sim.Request{Path: "/file"}, func(*sim.Answer, []byte) error { return errors.New("enough") })
			check("stopped", outcome == sim.AppStopped && a.Received == 0, a, outcome)
			a, outcome = l.Request(t.Context(), &sim.Request{Path: "/file"}, nil)
			check("of no interest", outcome == sim.OK && a.Received == 40_000, a, outcome)

			begin := time.Now()
			a, _, outcome = ask(sim.Deadline{Context: t.Context(), At: begin.Add(300 * time.Millisecond)}, sim.Request{Path: "/silent"})
			check("the deadline", (outcome == sim.HTTPTimeout || outcome == sim.CoAPTimeout || outcome == sim.CoAPNoResponse) && a.Code == 0 && a.Size == -1 &&
				time.Since(begin) >= 300*time.Millisecond && time.Since(begin) < 10*time.Second, a, outcome)
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(50*time.Millisecond, cancel)
			a, _, outcome = ask(ctx, sim.Request{Path: "/silent"})
			check("cancelled", outcome == sim.AppUnknown && a.Code == 0, a, outcome)
			a, _, outcome = ask(ctx, sim.Request{Path: "/file"})
			check("cancelled before", outcome == sim.AppUnknown && a.Code == 0, a, outcome)

			a, _, outcome = ask(t.Context(), sim.Request{Method: "B AD", Path: "/file"})
			check("a mistake of ours", outcome == sim.LocalOther, a, outcome)
			a, _, outcome = ask(t.Context(), sim.Request{Method: "POST", Path: "/file", Offset: 1})
			check("an offset of a POST", outcome == sim.LocalOther, a, outcome)

			a, body, outcome = ask(t.Context(), sim.Request{Path: "/file"}) // after all that
			check("once more", outcome == sim.OK && bytes.Equal(body, other), a, outcome)
			l.Close(true)
			a, _, outcome = ask(t.Context(), sim.Request{Path: "/file"})
			check("after the end", outcome == sim.LocalOther && a.Code == 0, a, outcome)
			l.Close(false)

			ctx, cancel = context.WithCancel(t.Context())
			cancel()
			if r, _, outcome := o.Open(ctx, &sim.Caller{Endpoint: endpoint}); r != nil || outcome != sim.AppUnknown {
				t.Errorf("an Open that was cancelled before: %v, %v", r, outcome)
			}
		})
	}
}

// And what is built on that promise.
func TestDownloadsOverEachChannel(t *testing.T) {
	for _, w := range worlds() {
		t.Run(w.name, func(t *testing.T) {
			file := noise(100_000)
			o, endpoint := w.serve(t, newStore(file))
			sum := sha256.New()
			d := &fetch.Download{Open: calling(t, o, endpoint), Request: sim.Request{Path: "/file"}, Write: func(at int64, part []byte) error {
				if at == 0 {
					sum.Reset()
				}
				_, err := sum.Write(part)
				return err
			}}
			a, outcome := d.Run(t.Context())
			want := sha256.Sum256(file)
			if outcome != sim.OK || !bytes.Equal(sum.Sum(nil), want[:]) || d.Count != (fetch.Count{Lines: 1, Requests: 1, Fetched: 100_000}) {
				t.Errorf("%v, %+v, %+v", outcome, a, d.Count)
			}
		})
	}
}
