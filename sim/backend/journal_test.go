package backend

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

func FuzzRecord(f *testing.F) {
	f.Add(bytes.Repeat([]byte{0xFF}, recordSize))
	f.Add(make([]byte, recordSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < recordSize {
			return
		}
		var again [recordSize]byte
		r := decodeRecord(b)
		r.encode(&again)
		if !bytes.Equal(again[:], b[:recordSize]) {
			t.Errorf("%x became %x", b[:recordSize], again)
		}
	})
}

type order []sim.Sighting

func (o *order) See(s sim.Sighting) { *o = append(*o, s) }

// In virtual time both clocks stand still while they are compared: the instants are exact.
func TestJournalCarriesInstantsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		var got order
		done := make(chan error)
		time.Sleep(time.Hour)
		clock := wall{time.Now()}
		go func() { done <- readJournal(r, &got, clock) }()
		j := newJournal(w)
		const n = 5
		for i := range n {
			time.Sleep(time.Second)
			for _, p := range []string{"no stamp", string(payload(stamp(3, i)))} {
				if err := j.note([]byte(p)); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = w.Close()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if len(got) != n {
			t.Fatalf("%d sightings", len(got))
		}
		for i, s := range got {
			if want := (sim.Sighting{Stamp: stamp(3, i), At: time.Duration(i+1) * time.Second, Stored: true}); s != want {
				t.Errorf("%d: got %+v, want %+v", i, s, want)
			}
		}
	})
}

func TestJournalReadsWholeRecordsOnly(t *testing.T) {
	var b bytes.Buffer
	j := newJournal(&b)
	for i := range 10_000 {
		if err := j.note(payload(stamp(1, i))); err != nil {
			t.Fatal(err)
		}
	}
	for name, r := range map[string]io.Reader{
		"at once": bytes.NewReader(b.Bytes()), "in halves": iotest.HalfReader(bytes.NewReader(b.Bytes())),
	} {
		var got order
		if err := readJournal(r, &got, wall{time.Now()}); err != nil || len(got) != 10_000 {
			t.Fatalf("%s: %d sightings, %v", name, len(got), err)
		}
		for i, s := range got {
			if s.Stamp != stamp(1, i) {
				t.Fatalf("%s: %d is %+v", name, i, s.Stamp)
			}
		}
	}
	var got order
	err := readJournal(bytes.NewReader(b.Bytes()[:recordSize+3]), &got, wall{time.Now()})
	if err == nil || !strings.Contains(err.Error(), "3 bytes") || len(got) != 1 {
		t.Errorf("torn record: %d sightings, %v", len(got), err)
	}
}

// After a failed write nothing more is recorded, and so nothing may be acknowledged.
func TestJournalStaysFailed(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	j := newJournal(w)
	if err := j.note(payload(stamp(0, 0))); err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	for i := range 2 {
		if err := j.note(payload(stamp(0, i))); err == nil {
			t.Error("noted without a reader")
		}
	}
	<-j.failed
	if j.cause() == nil {
		t.Error("no cause")
	}
	if err := j.note([]byte("no stamp")); err != nil && !errors.Is(err, j.err) {
		t.Error(err)
	}
	_ = w.Close()
}

func TestFixedPorts(t *testing.T) {
	cases := []struct {
		ephemeral string
		lo, hi    int
	}{
		{"32768\t60999\n", 22768, 32768},
		{"", 39152, 49152},
		{"garbage", 39152, 49152},
		{"1024 60999", 61000, 65535},
		{"15000 64999", 10000, 15000},
		{"1024 65535", 0, 0},
		{"60999 32768", 39152, 49152},
	}
	for _, c := range cases {
		if lo, hi := fixedPorts(c.ephemeral); lo != c.lo || hi != c.hi {
			t.Errorf("%q: %d to %d", c.ephemeral, lo, hi)
		}
	}
}

func BenchmarkJournalNote(b *testing.B) {
	r, w, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	widen(r, pipeSize)
	n := 0
	done := make(chan error)
	go func() { done <- readJournal(r, count{&n}, wall{time.Now()}) }()
	j, p := newJournal(w), payload(stamp(1, 1))
	b.ReportAllocs()
	for b.Loop() {
		if err := j.note(p); err != nil {
			b.Fatal(err)
		}
	}
	_ = w.Close()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}

type count struct{ n *int }

func (c count) See(sim.Sighting) { *c.n++ }
