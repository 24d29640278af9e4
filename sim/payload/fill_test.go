package payload

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/myriad-iot/myriad/sim"
)

// TestD4_PayloadsOfASize: a payload of each encoding has exactly the size that was asked for, says the same as one
// that is not filled, is valid, and carries its stamp. One that is longer stays as it is.
func TestD4_PayloadsOfASize(t *testing.T) {
	for _, enc := range Encodings() {
		m := sim.Model{Name: "m", Encoding: sim.Encoding(enc), Signals: []sim.Signal{{Name: "t", Law: sim.LawSine, Mean: 20, Amplitude: 100, Period: sim.Duration(time.Hour)}}}
		if m.Encoding == sim.EncodingTemplate {
			m.Template = "{id};{t};{stamp}"
		}
		longest, err := Longest(&m, "rooms-123")
		if err != nil {
			t.Fatal(err)
		}
		for _, size := range []int{1, longest + 20, longest + 21, 300, 1024, 70_000} {
			m.Size = size
			e, err := New(&m)
			if err != nil {
				t.Fatal(err)
			}
			least, err := Longest(&m, "rooms-123")
			if err != nil {
				t.Fatal(err)
			}
			for seq := range uint32(200) {
				r := Reading{ID: "rooms-123", Key: 9, Seq: seq, Due: time.Duration(seq) * time.Minute, Time: time.Unix(1_700_000_000, 0), Stamp: sim.Stamp{Run: 7, Seq: seq}}
				got := e.Append([]byte("before"), &r)
				if got = bytes.TrimPrefix(got, []byte("before")); size > least && len(got) != size || len(got) > max(size, least) {
					t.Fatalf("%s, %d: %d bytes; longest %d", enc, size, len(got), least)
				}
				if s, ok := sim.FindStamp(got); !ok || s != r.Stamp {
					t.Fatalf("%s, %d: the stamp is %+v", enc, size, s)
				}
				var v any
				switch m.Encoding {
				case sim.EncodingJSON, sim.EncodingSenMLJSON:
					err = json.Unmarshal(got, &v)
				case sim.EncodingCBOR, sim.EncodingSenMLCBOR:
					err = cbor.Unmarshal(got, &v)
				case sim.EncodingTemplate:
				}
				if err != nil {
					t.Fatalf("%s, %d: %v", enc, size, err)
				}
			}
			r := Reading{ID: "rooms-123", Seq: 3, Time: time.Unix(1_700_000_000, 0)}
			buf := e.Append(nil, &r)
			if n := testing.AllocsPerRun(100, func() { buf = e.Append(buf[:0], &r) }); n != 0 {
				t.Errorf("%s, %d: %v allocations", enc, size, n)
			}
		}
	}
}
