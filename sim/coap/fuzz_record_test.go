package coap

import (
	"bytes"
	"encoding/binary"
	"net"
	"testing"

	"github.com/pion/dtls/v3"
)

// datagrams is a socket whose reads are given and whose last write is kept.
type datagrams struct {
	net.Conn
	in   [][]byte
	sent []byte
}

func (c *datagrams) Read(b []byte) (int, error) {
	n := copy(b, c.in[0])
	c.in = c.in[1:]
	return n, nil
}
func (c *datagrams) Write(b []byte) (int, error) { c.sent = bytes.Clone(b); return len(b), nil }

// association is a client's end, and the records of the server's, as a handshake leaves both.
func association(tb testing.TB, suite dtls.CipherSuiteID, cid []byte) (client *secured, wire *datagrams, server records) {
	e := &exported{CipherSuiteID: uint16(suite), MasterSecret: make([]byte, 48), RemoteConnectionID: cid}
	r, err := newRecords(e)
	if err != nil {
		tb.Fatal(err)
	}
	server = records{write: r.read, writeIV: r.readIV, read: r.write, readIV: r.writeIV}
	wire = new(datagrams)
	return &secured{Conn: wire, records: r, d: new(Dialer)}, wire, server
}

// unsealed opens a record that a client sealed with a Connection ID, by the text of RFC 9146 sections 4 and 5.3.
func unsealed(r *records, cid, record []byte) (kind byte, content []byte, err error) {
	head := 11 + len(cid)
	explicit := record[head+2 : head+2+8]
	sealed := record[head+2+8:]
	ad := append(bytes.Repeat([]byte{0xff}, 8), 25, byte(len(cid)), 25)
	ad = append(ad, record[1:head]...) // version, epoch and sequence number, cid
	ad = binary.BigEndian.AppendUint16(ad, uint16(len(sealed)-r.read.Overhead()))
	inner, err := r.read.Open(nil, append(bytes.Clone(r.readIV[:]), explicit...), sealed, ad)
	if err != nil {
		return 0, nil, err
	}
	inner = bytes.TrimRight(inner, "\x00")
	return inner[len(inner)-1], inner[:len(inner)-1], nil
}

// FuzzRecords: whatever a network does to a peer's records, each is read at most once, in the order of
// their arrival, and only if it is whole and no more than 63 older than the newest (RFC 6347 section
// 4.1.2.6). What we write is opened by the text of the standard, under ever new sequence numbers.
func FuzzRecords(f *testing.F) {
	f.Add(uint8(0), false, []byte{0, 8, 16, 3, 3, 11, 11, 19, 5, 1, 32, 4, 9})
	f.Add(uint8(2), true, []byte{0, 0, 6, 0, 3, 19, 2, 63, 0, 3, 11, 5, 8, 1, 7, 7, 4, 0, 23, 254, 253})
	f.Add(uint8(1), true, []byte{0, 4, 0, 0, 4, 11, 1, 4, 12, 255, 7, 22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, which uint8, withCID bool, steps []byte) {
		all := suites(true)
		var cid []byte
		if withCID {
			cid = []byte("12345678")
		}
		client, wire, server := association(t, all[int(which)%len(all)], cid)
		var sent [][]byte
		var sequences []uint64
		seen, newest, written := map[uint64]bool{}, uint64(0), uint64(0)
		w := new(cryptic)
		// fresh says whether the window lets record i in, and notes it.
		fresh := func(i int) bool {
			n := sequences[i]
			if seen[n] || n+windowSize <= newest {
				return false
			}
			seen[n], newest = true, max(newest, n)
			return true
		}
		buffer := make([]byte, maxDatagram)
		wants := func(datagram []byte, contents ...string) {
			t.Helper()
			wire.in = append(wire.in, datagram)
			for {
				n, err := client.Read(buffer)
				if err != nil {
					t.Fatalf("%x: %v", datagram, err)
				}
				if n > 0 {
					if len(contents) == 0 || string(buffer[:n]) != contents[0] {
						t.Fatalf("%x gave %x, want %x", datagram, buffer[:n], contents)
					}
					contents = contents[1:]
				}
				if len(client.rest) == 0 {
					break
				}
			}
			if len(contents) > 0 {
				t.Fatalf("%x did not give %x", datagram, contents)
			}
		}
		content := func(i int) string { return "content " + string(rune('a'+i%26)) }
		for len(steps) > 0 {
			step, arg := steps[0]&7, int(steps[0]>>3)
			steps = steps[1:]
			back := len(sent) - 1 - arg
			switch {
			case step <= 1:
				sequences = append(sequences, server.next)
				record, err := server.seal(w, make([]byte, 0, 100), recordApplication, []byte(content(len(sent))))
				if err != nil {
					t.Fatal(err)
				}
				sent = append(sent, record)
			case step == 2:
				server.next += 1 << arg // lost on the way
			case step == 3 && back >= 0:
				var want []string
				if fresh(back) {
					want = append(want, content(back))
				}
				wants(bytes.Clone(sent[back]), want...)
			case step == 4 && back >= 0 && len(steps) > 1:
				b := bytes.Clone(sent[back])
				b[int(steps[0])%len(b)] ^= 1 << (steps[1] & 7)
				steps = steps[2:]
				wants(b)
			case step == 5 && back >= 1: // two records in a datagram, and a piece of a third
				var want []string
				for _, i := range []int{back, back - 1} {
					if fresh(i) {
						want = append(want, content(i))
					}
				}
				wants(bytes.Join([][]byte{sent[back], sent[back-1], sent[0][:arg]}, nil), want...)
			case step == 6:
				said := bytes.Repeat([]byte{byte(arg)}, arg)
				if _, err := client.Write(said); err != nil {
					t.Fatal(err)
				}
				if n := binary.BigEndian.Uint64(wire.sent[3:]); n != 1<<48+written {
					t.Fatalf("record %d has the number %x", written, n)
				}
				written++
				var got []byte
				ok, kind := true, wire.sent[0]
				var err error
				if withCID {
					kind, got, err = unsealed(&server, cid, wire.sent)
					ok = err == nil && bytes.Equal(wire.sent[11:11+len(cid)], cid)
				} else {
					got, ok = server.open(w, wire.sent)
				}
				if !ok || kind != recordApplication || !bytes.Equal(got, said) {
					t.Fatalf("%x was opened as %d %x, %v, %v", said, kind, got, ok, err)
				}
			case step == 7:
				wants(steps)
				steps = nil
			}
		}
	})
}
