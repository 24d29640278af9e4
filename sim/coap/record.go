package coap

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/ccm"
	"github.com/pion/dtls/v3/pkg/crypto/prf"
)

// Record content types (RFC 5246 section 6.2.1, RFC 9146 section 3).
const (
	recordChangeCipherSpec = 20
	recordAlert            = 21
	recordHandshake        = 22
	recordApplication      = 23
	recordCID              = 25
)

const (
	recordHeader = 13 // of a record without a Connection ID
	explicitSize = 8  // of the nonce
	epochOne     = 1  // of everything after the handshake: the peer does not renegotiate
	maxSequence  = 1<<48 - 1
	windowSize   = 64 // RFC 6347 section 4.1.2.6
)

// errAlert is the peer's end of the association: close_notify, or a fatal alert.
var errAlert = errors.New("coap: the peer ended the DTLS association")

// records protects the datagrams of one DTLS 1.2 association after its handshake (RFC 6347 section
// 4.1, RFC 9146): what a device must keep of it. We asked the peer for records without a Connection
// ID, so only those that we write may have one.
type records struct {
	write, read     cipher.AEAD
	writeIV, readIV [4]byte
	cid             []byte // the peer's, nil if there is none
	next            uint64 // sequence number of the next record that we write
	newest          uint64 // the highest that came
	window          uint64 // bit i: newest-i came
}

// suites are the cipher suites that are offered, those that constrained devices use most first. All have
// 16 byte keys, 4 byte implicit nonces, 8 byte explicit ones, and SHA-256.
func suites(psk bool) []dtls.CipherSuiteID {
	if psk {
		return []dtls.CipherSuiteID{dtls.TLS_PSK_WITH_AES_128_CCM_8, dtls.TLS_PSK_WITH_AES_128_CCM, dtls.TLS_PSK_WITH_AES_128_GCM_SHA256}
	}
	return []dtls.CipherSuiteID{
		dtls.TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8, dtls.TLS_ECDHE_ECDSA_WITH_AES_128_CCM,
		dtls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, dtls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	}
}

func newAEAD(suite dtls.CipherSuiteID, key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	switch suite {
	case dtls.TLS_PSK_WITH_AES_128_CCM_8, dtls.TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8:
		return ccm.NewCCM(block, 8, 12)
	case dtls.TLS_PSK_WITH_AES_128_CCM, dtls.TLS_ECDHE_ECDSA_WITH_AES_128_CCM:
		return ccm.NewCCM(block, 16, 12)
	}
	return cipher.NewGCM(block)
}

// newRecords takes over a client's association from what a handshake left.
func newRecords(e *exported) (records, error) {
	keys, err := prf.GenerateEncryptionKeys(e.MasterSecret, e.LocalRandom[:], e.RemoteRandom[:], 0, 16, 4, sha256.New)
	if err != nil {
		return records{}, err
	}
	r := records{cid: e.RemoteConnectionID, next: e.SequenceNumber}
	if len(r.cid) == 0 {
		r.cid = nil
	}
	suite := dtls.CipherSuiteID(e.CipherSuiteID)
	if r.write, err = newAEAD(suite, keys.ClientWriteKey); err != nil {
		return records{}, err
	}
	if r.read, err = newAEAD(suite, keys.ServerWriteKey); err != nil {
		return records{}, err
	}
	copy(r.writeIV[:], keys.ClientWriteIV)
	copy(r.readIV[:], keys.ServerWriteIV)
	if e.RemoteSequenceNumber > 0 { // the handshake has seen all below it, or may have
		r.newest, r.window = e.RemoteSequenceNumber-1, ^uint64(0)
	}
	return r, nil
}

// overhead is how much longer than its content a record is.
func (r *records) overhead() int {
	n := recordHeader + explicitSize + r.write.Overhead()
	if r.cid != nil {
		n += len(r.cid) + 1
	}
	return n
}

// cryptic is the memory that sealing or opening a record needs beside the record.
type cryptic struct {
	nonce [12]byte
	ad    [23 + 255]byte
}

// seal appends a record to dst, which has room for it.
func (r *records) seal(w *cryptic, dst []byte, kind byte, content []byte) ([]byte, error) {
	if r.next > maxSequence {
		return nil, io.ErrShortWrite // RFC 6347 section 4.1: it must not wrap; in 8,900 years at 1,000 a second
	}
	sequence := uint64(epochOne)<<48 | r.next
	r.next++
	inner := len(content)
	outer := kind
	if r.cid != nil {
		outer = recordCID
		inner++
	}
	at := len(dst)
	dst = append(dst, outer, 0xfe, 0xfd)
	dst = binary.BigEndian.AppendUint64(dst, sequence)
	dst = append(dst, r.cid...)
	dst = binary.BigEndian.AppendUint16(dst, uint16(explicitSize+inner+r.write.Overhead()))
	dst = binary.BigEndian.AppendUint64(dst, sequence)
	body := len(dst)
	dst = append(dst, content...)
	if r.cid != nil {
		dst = append(dst, kind)
	}
	copy(w.nonce[:], r.writeIV[:])
	copy(w.nonce[4:], dst[body-explicitSize:body])
	ad := w.additional(dst[at:body-explicitSize], r.cid, inner)
	sealed := r.write.Seal(dst[body:body], w.nonce[:], dst[body:], ad)
	return dst[:body+len(sealed)], nil
}

// additional is what is authenticated beside the content: RFC 5246 section 6.2.3.3, and with a
// Connection ID RFC 9146 section 5.3. header is the record's, length that of the plaintext.
func (w *cryptic) additional(header, cid []byte, length int) []byte {
	ad := w.ad[:0]
	if cid == nil {
		ad = append(ad, header[3:11]...)
		ad = append(ad, header[:3]...)
		return binary.BigEndian.AppendUint16(ad, uint16(length))
	}
	ad = append(ad, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, recordCID, byte(len(cid)))
	ad = append(ad, header[:11+len(cid)]...)
	return binary.BigEndian.AppendUint16(ad, uint16(length))
}

// cut takes the first record off a datagram. ok is false if that is not one (RFC 6347 section 4.1.2.7:
// it is silently discarded, and all that follows with it).
func cut(datagram []byte) (record, rest []byte, ok bool) {
	if len(datagram) < recordHeader || datagram[1] != 0xfe || datagram[2] != 0xfd && datagram[2] != 0xff {
		return nil, nil, false
	}
	n := recordHeader + int(binary.BigEndian.Uint16(datagram[11:]))
	if n > len(datagram) {
		return nil, nil, false
	}
	return datagram[:n], datagram[n:], true
}

// open decrypts a record in place. It is false for one that is forged, repeated or of another epoch.
func (r *records) open(w *cryptic, record []byte) (content []byte, ok bool) {
	head := binary.BigEndian.Uint64(record[3:])
	sequence := head & maxSequence
	body := len(record) - recordHeader - explicitSize - r.read.Overhead()
	if head>>48 != epochOne || record[0] == recordCID || body < 0 || r.seen(sequence) {
		return nil, false
	}
	copy(w.nonce[:], r.readIV[:])
	copy(w.nonce[4:], record[recordHeader:])
	ad := w.additional(record[:recordHeader-2], nil, body)
	sealed := record[recordHeader+explicitSize:]
	content, err := r.read.Open(sealed[:0], w.nonce[:], sealed, ad)
	if err != nil {
		return nil, false
	}
	r.note(sequence)
	return content, true
}

func (r *records) seen(sequence uint64) bool {
	if sequence > r.newest {
		return false
	}
	back := r.newest - sequence
	return back >= windowSize || r.window>>back&1 == 1
}

func (r *records) note(sequence uint64) {
	if sequence <= r.newest {
		r.window |= 1 << (r.newest - sequence)
		return
	}
	r.window = r.window<<(sequence-r.newest) | 1 // shifts of 64 and more give 0
	r.newest = sequence
}
