package coap

import (
	"testing"

	"github.com/plgd-dev/go-coap/v3/message/codes"

	"github.com/myriad-iot/myriad/sim"
)

// What an answer to a block of an upload makes the device do (RFC 7959 sections 2.3, 2.5 and 2.9).
func TestUploadAnswers(t *testing.T) {
	const size = 1000
	ok, incomplete, large := codes.Continue, codes.RequestEntityIncomplete, codes.RequestEntityTooLarge
	for name, tt := range map[string]struct {
		offset int // of the block in flight, of 64 bytes (SZX 2)
		code   codes.Code
		b      block
		has    bool
		limit  uint32

		next   bool
		want   sim.Outcome
		at, by int // the next block: where it begins, how long it is
	}{
		"acknowledged":                     {0, ok, block{0, true, 2}, true, 0, true, sim.OK, 64, 64},
		"acknowledged by 2.04":             {64, codes.Changed, block{1, false, 2}, true, 0, true, sim.OK, 128, 64},
		"acknowledged, another block":      {64, ok, block{0, true, 2}, true, 0, false, sim.CoAPIncomplete, 0, 0},
		"acknowledged, a block to come":    {64, ok, block{2, true, 2}, true, 0, false, sim.CoAPIncomplete, 0, 0},
		"acknowledged without a block":     {0, ok, block{}, false, 0, false, sim.CoAPIncomplete, 0, 0},
		"without a block, in the middle":   {64, codes.Changed, block{1, false, 2}, false, 0, false, sim.CoAPIncomplete, 0, 0},
		"smaller from here on":             {0, ok, block{0, true, 0}, true, 0, true, sim.OK, 64, 16},
		"smaller, numbered in small ones":  {64, ok, block{4, true, 0}, true, 0, true, sim.OK, 128, 16},
		"larger is not for us to follow":   {64, ok, block{0, true, 5}, true, 0, true, sim.OK, 128, 64},
		"the end":                          {960, codes.Changed, block{15, false, 2}, true, 0, false, sim.OK, 0, 0},
		"the end without a block":          {960, codes.Changed, block{}, false, 0, false, sim.OK, 0, 0},
		"2.31 at the end":                  {960, ok, block{15, false, 2}, true, 0, false, sim.CoAPIncomplete, 0, 0},
		"too large, smaller ones":          {0, large, block{0, true, 1}, true, 0, true, sim.OK, 0, 32},
		"too large in the middle":          {192, large, block{3, true, 1}, true, 0, true, sim.OK, 0, 32},
		"too large at the end":             {960, large, block{0, false, 0}, true, 0, true, sim.OK, 0, 16},
		"too large, a limit that suffices": {64, large, block{1, true, 1}, true, size, true, sim.OK, 0, 32},
		"too large, a limit below it":      {64, large, block{1, true, 1}, true, size - 1, false, sim.CoAPTooLarge, 0, 0},
		"too large, the same size":         {64, large, block{1, true, 2}, true, 0, false, sim.CoAPTooLarge, 0, 0},
		"too large, a larger size":         {64, large, block{1, true, 3}, true, 0, false, sim.CoAPTooLarge, 0, 0},
		"too large, no size":               {64, large, block{}, false, 0, false, sim.CoAPTooLarge, 0, 0},
		"4.08":                             {64, incomplete, block{1, true, 1}, true, 0, false, sim.CoAPIncomplete, 0, 0},
		"4.00":                             {64, codes.BadRequest, block{1, true, 1}, true, 0, false, sim.CoAPClientError, 0, 0},
		"5.00 at the end":                  {960, codes.InternalServerError, block{15, false, 2}, true, 0, false, sim.CoAPServerError, 0, 0},
	} {
		body := make([]byte, size)
		u := &upload{body: &body, cutting: cutting{2, 64}, offset: tt.offset}
		next, o := u.answer(tt.code, tt.b, tt.has, tt.limit)
		if next != tt.next || o != tt.want {
			t.Errorf("%s: %v, %v, want %v, %v", name, next, o, tt.next, tt.want)
		}
		if next && (u.offset != tt.at || u.step != tt.by || 16<<u.szx != tt.by) {
			t.Errorf("%s: block at %d of %d bytes, SZX %d, want at %d of %d", name, u.offset, u.step, u.szx, tt.at, tt.by)
		}
	}
}

// A body needs at most 2^20 blocks: one more byte, or smaller blocks, and there is no way.
func TestUploadFits(t *testing.T) {
	const most = 16 << 20
	body := make([]byte, most+1)
	for n, want := range map[int]bool{1: true, most: true, most + 1: false} {
		part := body[:n]
		u := &upload{body: &part, cutting: cutting{0, 16}}
		if u.fits() != want {
			t.Errorf("%d bytes in blocks of 16: %v", n, !want)
		}
	}
	u := &upload{body: &body, cutting: cutting{1, 32}}
	if next, o := u.answer(codes.Continue, block{0, true, 0}, true, 0); next || o != sim.CoAPTooLarge {
		t.Errorf("acknowledged, too many blocks: %v, %v", next, o)
	}
	u = &upload{body: &body, cutting: cutting{1, 32}}
	if next, o := u.answer(codes.RequestEntityTooLarge, block{0, true, 0}, true, 0); next || o != sim.CoAPTooLarge {
		t.Errorf("refused, too many blocks: %v, %v", next, o)
	}
}

// Which blocks belong to a download: the next one of the same representation, whole, as far as a device has room.
func TestDownloadTakes(t *testing.T) {
	tag, other := etag{1, [8]byte{7}}, etag{1, [8]byte{8}}
	for name, tt := range map[string]struct {
		have int
		b    block
		tag  etag
		n    int
		want bool
	}{
		"the first":              {0, block{0, true, 0}, tag, 16, true},
		"the second":             {16, block{1, true, 0}, tag, 16, true},
		"the last":               {16, block{1, false, 0}, tag, 5, true},
		"the last, whole":        {16, block{1, false, 0}, tag, 16, true},
		"the last, empty":        {16, block{1, false, 0}, tag, 0, true},
		"again":                  {16, block{0, true, 0}, tag, 16, false},
		"one left out":           {16, block{2, true, 0}, tag, 16, false},
		"not the first":          {0, block{1, true, 0}, tag, 16, false},
		"of another":             {16, block{1, true, 0}, other, 16, false},
		"of none":                {16, block{1, true, 0}, etag{}, 16, false},
		"short":                  {16, block{1, true, 0}, tag, 15, false},
		"long":                   {16, block{1, true, 0}, tag, 17, false},
		"the last, long":         {16, block{1, false, 0}, tag, 17, false},
		"smaller ones, in place": {64, block{2, true, 1}, tag, 32, true},
		"BERT":                   {2048, block{2, true, bertSZX}, tag, 3072, true},
		"BERT, not of 1,024":     {2048, block{2, true, bertSZX}, tag, 1000, false},
		"BERT, nothing":          {2048, block{2, true, bertSZX}, tag, 0, false},
		"all that there is room": {maxBody - 16, block{maxBody/16 - 1, false, 0}, tag, 16, true},
		"more than there is":     {maxBody, block{maxBody / 16, false, 0}, tag, 1, false},
	} {
		d := &download{body: make([]byte, tt.have), etag: tag}
		got := d.take(tt.b, tt.tag, make([]byte, tt.n))
		want := tt.have
		if tt.want {
			want += tt.n
		}
		if got != tt.want || len(d.body) != want {
			t.Errorf("%s: %v, %d bytes, want %v, %d", name, got, len(d.body), tt.want, want)
		}
		if got && (d.etag != tag || d.szx != tt.b.szx) {
			t.Errorf("%s: ETag %v, SZX %d", name, d.etag, d.szx)
		}
	}
}
