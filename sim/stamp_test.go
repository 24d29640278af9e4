package sim

import (
	"bytes"
	"encoding/json"
	"hash/crc32"
	"strings"
	"testing"
	"time"
)

func stamps() []Stamp {
	return []Stamp{
		{},
		{Run: 1, Fleet: 2, Device: 3, Seq: 4, Due: 5 * time.Microsecond},
		{Run: 1<<32 - 1, Stream: MaxStreams - 1, Fleet: MaxFleets - 1, Device: 1<<32 - 1, Seq: 1<<32 - 1, Due: (1<<48 - 1) * time.Microsecond},
		{Run: 0xdeadbeef, Stream: 1, Fleet: 7, Device: 99999, Seq: 12345, Due: 90 * time.Minute},
	}
}

func TestStampRoundTrip(t *testing.T) {
	for _, s := range stamps() {
		text := s.Append([]byte("x"))[1:]
		if len(text) != StampSize {
			t.Errorf("%+v: %d characters, want %d", s, len(text), StampSize)
		}
		if i := strings.IndexFunc(string(text), func(r rune) bool {
			return !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", r)
		}); i >= 0 {
			t.Errorf("%q needs escaping somewhere", text)
		}
		if got, ok := FindStamp(text); !ok || got != s {
			t.Errorf("found %+v (%t), want %+v", got, ok, s)
		}
	}
}

func TestStampRoundsDueDown(t *testing.T) {
	got, _ := FindStamp(Stamp{Due: 1999 * time.Nanosecond}.Append(nil))
	if got.Due != time.Microsecond {
		t.Errorf("due %v, want 1µs", got.Due)
	}
}

func TestFindStampInPayloads(t *testing.T) {
	s := Stamp{Run: 9, Fleet: 1, Device: 8, Seq: 7, Due: time.Hour}
	text := string(s.Append(nil))
	object, err := json.Marshal(map[string]any{"a": "MYR1", "_m": text, "z": 1})
	if err != nil {
		t.Fatal(err)
	}
	other := string(Stamp{Run: 10}.Append(nil))
	broken := []byte(text)
	broken[20] ^= 1
	for name, c := range map[string]struct {
		payload string
		want    bool
	}{
		"alone":                    {text, true},
		"json":                     {string(object), true},
		"cbor text":                {"\xa1\x62_m\x78\x24" + text, true},
		"garbage around":           {"\x00\xffMYR1\n\n" + text + "MYR1", true},
		"marks before":             {"MYR1MYR1MYR1" + text, true},
		"a broken one before":      {string(broken) + text, true},
		"the first of two":         {text + other, true},
		"empty":                    {"", false},
		"only the mark":            {"MYR1", false},
		"cut short":                {text[:len(text)-1], false},
		"a flipped bit":            {string(broken), false},
		"a line break inside":      {text[:10] + "\n" + text[10:], false},
		"the wrong mark":           {"MYR2" + text[4:], false},
		"text that looks like one": {"MYR1" + strings.Repeat("A", 32), false},
	} {
		got, ok := FindStamp([]byte(c.payload))
		if ok != c.want || ok && got != s {
			t.Errorf("%s: found %+v, %t", name, got, ok)
		}
	}
}

func TestStampNoticesEachFlippedCharacter(t *testing.T) {
	text := Stamp{Run: 1, Device: 2, Seq: 3}.Append(nil)
	for i := range text {
		b := bytes.Clone(text)
		b[i] ^= 2
		if got, ok := FindStamp(b); ok {
			t.Errorf("character %d flipped: still found %+v", i, got)
		}
	}
}

func TestChecksumIsCRC32(t *testing.T) {
	for _, text := range []string{"", "123456789", "\x00\xff Myriad"} {
		if got, want := checksum([]byte(text)), crc32.ChecksumIEEE([]byte(text)); got != want {
			t.Errorf("checksum(%q) = %#x, want %#x", text, got, want)
		}
	}
}

func TestStampDoesNotAllocate(t *testing.T) {
	s := Stamp{Run: 1, Seq: 2}
	buf := make([]byte, 0, 64)
	payload := append([]byte(`{"x":"MYR1 is no stamp, not even a bit of one","_m":"`), s.Append(nil)...)
	if n := testing.AllocsPerRun(100, func() { buf = s.Append(buf[:0]) }); n != 0 {
		t.Errorf("Append allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, func() { FindStamp(payload) }); n != 0 {
		t.Errorf("FindStamp allocates %v times", n)
	}
}

func FuzzFindStamp(f *testing.F) {
	f.Add([]byte(""), uint32(0))
	f.Add([]byte("MYR1"), uint32(7))
	f.Add(Stamp{Seq: 3}.Append([]byte(`{"_m":"`)), uint32(1<<32-1))
	f.Fuzz(func(t *testing.T, junk []byte, seq uint32) {
		if s, ok := FindStamp(junk); ok && !bytes.Contains(junk, s.Append(nil)) {
			t.Fatalf("found %+v, which is not in %q", s, junk)
		}
		// Whatever comes after a stamp must not hide it.
		want := Stamp{Run: 1, Seq: seq}
		if got, ok := FindStamp(append(want.Append(nil), junk...)); !ok || got != want {
			t.Fatalf("lost %+v before %q", want, junk)
		}
	})
}

func BenchmarkFindStamp(b *testing.B) {
	b.ReportAllocs()
	payload := Stamp{Run: 1, Seq: 2}.Append([]byte(`{"id":"rooms-7","time":"2026-01-02T03:04:05.678Z","temperature":21.4,"_m":"`))
	for b.Loop() {
		FindStamp(payload)
	}
}
