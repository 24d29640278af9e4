package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

// reply is what a peer makes of a request.
type reply func(q *sim.Request, body sim.Body) (sim.Answer, sim.Outcome)

// script is a line whose requests are answered one after the other, and then as the last one.
type script struct {
	replies []reply
	asked   []string // offset and entity tag of each request
}

func (s *script) Request(_ context.Context, q *sim.Request, body sim.Body) (sim.Answer, sim.Outcome) {
	r := s.replies[min(len(s.asked), len(s.replies)-1)]
	s.asked = append(s.asked, fmt.Sprintf("%d %s", q.Offset, q.ETag))
	return r(q, body)
}

func (*script) Close(bool) {}

// gives answers with a part of text, and ends with the outcome; of size is the whole.
func gives(code int, tag string, offset, size int, text string, o sim.Outcome) reply {
	return func(_ *sim.Request, body sim.Body) (sim.Answer, sim.Outcome) {
		a := sim.Answer{Code: code, ETag: tag, Offset: int64(offset), Size: int64(size)}
		for _, part := range []string{text[:len(text)/2], text[len(text)/2:]} {
			if len(part) == 0 {
				continue
			}
			if body(&a, []byte(part)) != nil {
				return a, sim.AppStopped
			}
			a.Received += int64(len(part))
		}
		return a, o
	}
}

func refuses(code int, status sim.Outcome, after time.Duration, size int) reply {
	return func(_ *sim.Request, body sim.Body) (sim.Answer, sim.Outcome) {
		a := sim.Answer{Code: code, Status: status, RetryAfter: after, Size: int64(size)}
		if body(&a, []byte("a message about it")) != nil {
			return a, sim.AppStopped
		}
		return a, sim.OK
	}
}

func breaks(o sim.Outcome) reply {
	return func(*sim.Request, sim.Body) (sim.Answer, sim.Outcome) { return sim.Answer{Size: -1}, o }
}

// into is a download of a script into a buffer.
func into(s *script) (*Download, *[]byte) {
	text := new([]byte)
	return &Download{
		Open: func(context.Context) (sim.Requester, sim.Outcome) { return s, sim.OK },
		Write: func(at int64, part []byte) error {
			if *text = append((*text)[:at], part...); len(part) == 0 {
				return errors.New("an empty part")
			}
			return nil
		},
		Retry: sim.Retry{Base: sim.Duration(time.Second), Factor: 2, MaxAttempt: 3},
	}, text
}

func TestDownloads(t *testing.T) {
	const v1, v2 = "0123456789", "abcdefghijkl"
	for _, c := range []struct {
		name    string
		replies []reply
		want    string
		outcome sim.Outcome
		asked   []string
		count   Count
		took    time.Duration
	}{
		{"in one go", []reply{gives(200, "v1", 0, 10, v1, sim.OK)}, v1, sim.OK, []string{"0 "},
			Count{1, 1, 0, 10, 0}, 0},
		{"of unknown length", []reply{gives(205, "", 0, -1, v1, sim.OK)}, v1, sim.OK, []string{"0 "},
			Count{1, 1, 0, 10, 0}, 0},
		{"empty", []reply{gives(200, "v1", 0, 0, "", sim.OK)}, "", sim.OK, []string{"0 "}, Count{1, 1, 0, 0, 0}, 0},
		{"cut twice", []reply{gives(200, "v1", 0, 10, v1[:3], sim.HTTPIncomplete), gives(206, "v1", 3, 10, v1[3:4], sim.TCPReset),
			gives(206, "v1", 4, 10, v1[4:], sim.OK)}, v1, sim.OK, []string{"0 ", "3 v1", "4 v1"}, Count{3, 3, 0, 10, 0}, 2 * time.Second},
		{"cut, without a tag", []reply{gives(205, "", 0, -1, v1[:3], sim.CoAPTimeout), gives(205, "", 3, -1, v1[3:], sim.OK)},
			v1, sim.OK, []string{"0 ", "3 "}, Count{2, 2, 0, 10, 0}, time.Second},
		{"from a server without ranges", []reply{gives(200, "v1", 0, 10, v1[:3], sim.HTTPIncomplete), gives(200, "v1", 0, 10, v1, sim.OK)},
			v1, sim.OK, []string{"0 ", "3 v1"}, Count{2, 2, 0, 13, 3}, time.Second},
		{"from a server with neither ranges nor tags", []reply{gives(200, "", 0, 10, v1[:3], sim.HTTPIncomplete), gives(200, "", 0, 10, v1, sim.OK)},
			v1, sim.OK, []string{"0 ", "3 "}, Count{2, 2, 1, 13, 3}, time.Second},
		{"of what has changed", []reply{gives(200, "v1", 0, 10, v1[:3], sim.HTTPIncomplete), gives(200, "v2", 0, 12, v2, sim.OK)},
			v2, sim.OK, []string{"0 ", "3 v1"}, Count{2, 2, 1, 15, 3}, time.Second},
		{"a part of what has changed", []reply{gives(200, "v1", 0, 10, v1[:3], sim.HTTPIncomplete), gives(206, "v2", 3, 12, v2[3:], sim.OK),
			gives(200, "v2", 0, 12, v2, sim.OK)}, v2, sim.OK, []string{"0 ", "3 v1", "0 "}, Count{2, 3, 1, 19, 7}, 3 * time.Second},
		{"of what has become shorter", []reply{gives(205, "", 0, -1, v1, sim.CoAPTimeout), gives(205, "", 10, 4, "", sim.OK), gives(205, "", 0, 4, "wxyz", sim.OK)},
			"wxyz", sim.OK, []string{"0 ", "10 ", "0 "}, Count{2, 3, 1, 14, 10}, 3 * time.Second},
		{"of a part behind the next", []reply{gives(206, "v1", 4, 10, v1[4:], sim.OK), gives(200, "v1", 0, 10, v1, sim.OK)},
			v1, sim.OK, []string{"0 ", "0 "}, Count{1, 2, 1, 13, 3}, time.Second},
		{"in ranges of the server's", []reply{gives(200, "v1", 0, 10, v1[:3], sim.HTTPIncomplete), gives(206, "v1", 3, 10, v1[3:6], sim.OK),
			gives(206, "v1", 4, 10, v1[4:8], sim.OK), gives(206, "v1", 8, 10, v1[8:], sim.OK)}, v1, sim.OK,
			[]string{"0 ", "3 v1", "6 v1", "8 v1"}, Count{2, 4, 0, 12, 2}, time.Second},
		{"of a part that is there already", []reply{gives(200, "v1", 0, 10, v1[:5], sim.HTTPIncomplete), gives(206, "v1", 2, 10, v1[2:4], sim.OK),
			gives(200, "v1", 0, 10, v1, sim.OK)}, v1, sim.OK, []string{"0 ", "5 v1", "0 "}, Count{2, 3, 1, 17, 7}, 3 * time.Second},
		{"whose end was lost", []reply{gives(200, "v1", 0, -1, v1, sim.TCPReset), refuses(416, sim.HTTPClientError, 0, 10)},
			v1, sim.OK, []string{"0 ", "10 v1"}, Count{2, 2, 0, 10, 0}, time.Second},
		{"whose offset is refused", []reply{gives(205, "v1", 0, 10, v1[:3], sim.CoAPTimeout), refuses(402, sim.CoAPClientError, 0, 0),
			gives(205, "v1", 0, 10, v1, sim.OK)}, v1, sim.OK, []string{"0 ", "3 v1", "0 "}, Count{2, 3, 1, 13, 3}, 3 * time.Second},
		{"from a busy server", []reply{refuses(503, sim.HTTPUnavailable, 20*time.Second, 0), refuses(429, sim.HTTPTooMany, 0, 0),
			gives(200, "v1", 0, 10, v1, sim.OK)}, v1, sim.OK, []string{"0 ", "0 ", "0 "}, Count{1, 3, 0, 10, 0}, 22 * time.Second},
		{"of nothing new", []reply{func(*sim.Request, sim.Body) (sim.Answer, sim.Outcome) { return sim.Answer{Code: 304, Size: -1}, sim.OK }},
			"", sim.OK, []string{"0 "}, Count{1, 1, 0, 0, 0}, 0},
		{"of what there is not", []reply{refuses(404, sim.HTTPClientError, 0, 18)}, "", sim.HTTPClientError, []string{"0 "}, Count{1, 1, 0, 0, 0}, 0},
		{"without a right to", []reply{gives(200, "v1", 0, 10, v1[:3], sim.HTTPIncomplete), refuses(401, sim.HTTPUnauthorized, 0, 18)}, v1[:3],
			sim.HTTPUnauthorized, []string{"0 ", "3 v1"}, Count{2, 2, 0, 3, 0}, time.Second},
		{"by a mistake of ours", []reply{breaks(sim.LocalOther)}, "", sim.LocalOther, []string{"0 "}, Count{1, 1, 0, 0, 0}, 0},
		{"given up", []reply{breaks(sim.TCPReset)}, "", sim.TCPReset, []string{"0 ", "0 ", "0 ", "0 "}, Count{4, 4, 0, 0, 0}, 7 * time.Second},
		{"given up, later", []reply{breaks(sim.TCPReset), breaks(sim.TCPReset), gives(200, "v1", 0, 10, v1[:3], sim.HTTPIncomplete), breaks(sim.TCPClosed)},
			v1[:3], sim.TCPClosed, []string{"0 ", "0 ", "0 ", "3 v1", "3 v1", "3 v1"}, Count{6, 6, 0, 3, 0}, 10 * time.Second},
		{"that never gets on", []reply{gives(200, "v1", 0, 10, v1[:3], sim.TCPReset), gives(206, "v2", 3, 10, v1[3:], sim.OK),
			gives(200, "v1", 0, 10, v1[:3], sim.TCPReset), gives(206, "v2", 3, 10, v1[3:], sim.OK), gives(200, "v1", 0, 10, v1[:2], sim.TCPReset)},
			v1[:3], sim.AppStopped, []string{"0 ", "3 v1", "0 ", "3 v1"}, Count{3, 4, 2, 12, 12}, 7 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				s := &script{replies: c.replies}
				d, text := into(s)
				begin := time.Now()
				a, o := d.Run(t.Context())
				if o != c.outcome || string(*text) != c.want || d.Count != c.count || !slices.Equal(s.asked, c.asked) || time.Since(begin) != c.took {
					t.Errorf("%v, %q, %+v after %v\nasked %q\n%+v", o, *text, d.Count, time.Since(begin), s.asked, a)
				}
				if d.Count.Fetched != d.Progress.Bytes+d.Count.Repeated || o == sim.OK && d.Progress.Bytes != int64(len(c.want)) {
					t.Errorf("%+v, %+v", d.Count, d.Progress)
				}
			})
		})
	}
}

func TestADownloadWhoseLinesDoNotOpen(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d, text := into(&script{replies: []reply{gives(200, "v1", 0, 4, "text", sim.OK)}})
		whole := d.Open
		tries := 0
		d.Open = func(ctx context.Context) (sim.Requester, sim.Outcome) {
			if tries++; tries < 3 {
				return nil, sim.TCPRefused
			}
			return whole(ctx)
		}
		begin := time.Now()
		if _, o := d.Run(t.Context()); o != sim.OK || string(*text) != "text" || d.Count.Lines != 3 || time.Since(begin) != 3*time.Second {
			t.Errorf("%v, %q, %+v after %v", o, *text, d.Count, time.Since(begin))
		}
		d.Open = func(context.Context) (sim.Requester, sim.Outcome) { return nil, sim.TLSRefused }
		if _, o := d.Run(t.Context()); o != sim.TLSRefused {
			t.Errorf("%v", o)
		}
		d.Open = func(context.Context) (sim.Requester, sim.Outcome) { return nil, sim.AppUnknown }
		if _, o := d.Run(t.Context()); o != sim.AppUnknown {
			t.Errorf("%v", o)
		}
	})
}

func TestADownloadThatIsGivenUp(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d, _ := into(&script{replies: []reply{breaks(sim.TCPReset)}})
		d.Retry = sim.Retry{Base: sim.Duration(time.Minute)}
		begin := time.Now()
		if _, o := d.Run(sim.Deadline{Context: t.Context(), At: begin.Add(150 * time.Second)}); o != sim.TCPReset || time.Since(begin) != 150*time.Second {
			t.Errorf("the deadline: %v after %v", o, time.Since(begin))
		}
		ctx, cancel := context.WithCancel(t.Context())
		begin = time.Now()
		time.AfterFunc(90*time.Second, cancel)
		if _, o := d.Run(ctx); o != sim.AppUnknown || time.Since(begin) != 90*time.Second {
			t.Errorf("cancelled: %v after %v", o, time.Since(begin))
		}
		d.Retry = sim.Retry{Immediate: true}
		if _, o := d.Run(ctx); o != sim.AppUnknown {
			t.Errorf("cancelled, without a pause: %v", o)
		}
	})
}

// The flash is full, or the power fails: what has been kept is where the next Run goes on.
func TestADownloadThatGoesOnLater(t *testing.T) {
	s := &script{replies: []reply{gives(200, "v1", 0, 10, "0123456789", sim.OK), gives(206, "v1", 5, 10, "56789", sim.OK)}}
	d, text := into(s)
	write := d.Write
	d.Write = func(at int64, part []byte) error {
		if at == 5 {
			return errors.New("full")
		}
		return write(at, part)
	}
	if _, o := d.Run(t.Context()); o != sim.AppStopped || d.Progress != (Progress{5, "v1", 10}) {
		t.Fatalf("%v, %+v", o, d.Progress)
	}
	other, rest := into(s)
	*rest, other.Progress = *text, d.Progress
	if _, o := other.Run(t.Context()); o != sim.OK || string(*rest) != "0123456789" || other.Count != (Count{1, 1, 0, 5, 0}) {
		t.Errorf("%v, %q, %+v", o, *rest, other.Count)
	}
	if want := []string{"0 ", "5 v1"}; !slices.Equal(s.asked, want) {
		t.Errorf("asked %q", s.asked)
	}
}

// Whatever a peer does between, the end is one of its representations, whole, and each byte is accounted for.
func TestDownloadsFromAnyPeer(t *testing.T) {
	for seed := range uint64(2000) {
		luck := rand.New(rand.NewPCG(seed, 1))
		versions := [][]byte{randomText(luck), randomText(luck)}
		tags, now := []string{"v1", "v2"}, 0
		if luck.IntN(4) == 0 {
			versions[1], tags = versions[0], []string{"", ""} // no tags: then nothing may change
		}
		any := func(q *sim.Request, body sim.Body) (sim.Answer, sim.Outcome) {
			if luck.IntN(8) == 0 {
				now = 1
			}
			text := versions[now]
			a := sim.Answer{Code: 200, ETag: tags[now], Size: int64(len(text))}
			from := 0
			if luck.IntN(4) > 0 && int(q.Offset) <= len(text) && (q.ETag == a.ETag || luck.IntN(8) == 0) {
				a.Code, from = 206, int(q.Offset)-luck.IntN(int(min(q.Offset, 2))+1)
			}
			a.Offset = int64(from)
			if luck.IntN(3) == 0 {
				a.Size = -1
			}
			for from < len(text) {
				if luck.IntN(6) == 0 {
					return a, sim.TCPReset
				}
				n := min(1+luck.IntN(5), len(text)-from)
				if body(&a, text[from:from+n]) != nil {
					return a, sim.AppStopped
				}
				from, a.Received = from+n, a.Received+int64(n)
			}
			return a, sim.OK
		}
		d, text := into(&script{replies: []reply{any}})
		d.Retry = sim.Retry{Immediate: true}
		_, o := d.Run(t.Context())
		if o != sim.OK || !bytes.Equal(*text, versions[0]) && !bytes.Equal(*text, versions[1]) ||
			d.Count.Fetched != d.Progress.Bytes+d.Count.Repeated || d.Progress.Bytes != int64(len(*text)) {
			t.Fatalf("seed %d: %v, %q of %q, %+v, %+v", seed, o, *text, versions, d.Count, d.Progress)
		}
	}
}

func randomText(luck *rand.Rand) []byte {
	b := make([]byte, 1+luck.IntN(30))
	for i := range b {
		b[i] = 'a' + byte(luck.IntN(26))
	}
	return b
}
