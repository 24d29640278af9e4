package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// Authority is the certificate authority of one run. Authorities with equal fields make equal certificates, byte
// for byte, in any process. The zero value is that of seed 0. Many goroutines may use it; after its first use it
// must not be copied and its fields must not change.
type Authority struct {
	Seed uint64
	// Since is when its certificates begin to be valid; zero is 2024-01-01. It is no "now": two
	// processes of a run must agree on it.
	Since time.Time
	// Life is how long they are; zero is to the end of 2049, the last year of a UTCTime (RFC 5280
	// section 4.1.2.5).
	Life time.Duration

	once sync.Once
	own  signer
	err  error
}

// signer is the authority's own key and certificate.
type signer struct {
	key         *ecdsa.PrivateKey
	certificate *x509.Certificate
}

// The purposes that keys are derived for. Changing one changes every identity of that kind.
const (
	forAuthority = "authority"
	forServer    = "server"
	forDevice    = "device"
	forPSK       = "psk"
)

// derive is 32 bytes that look random: the SHA-256 of purpose, seed, fleet, ordinal and round.
func (a *Authority) derive(purpose string, fleet uint16, o sim.Ordinal, round byte) [sha256.Size]byte {
	b := append(make([]byte, 0, 64), "myriad identity 1 "...)
	b = append(append(b, purpose...), 0)
	b = binary.BigEndian.AppendUint64(b, a.Seed)
	b = binary.BigEndian.AppendUint16(b, fleet)
	b = binary.BigEndian.AppendUint32(b, uint32(o))
	return sha256.Sum256(append(b, round))
}

// key is a P-256 key. One in 2^32 numbers is no scalar of the curve; then the next round has one.
func (a *Authority) key(purpose string, fleet uint16, o sim.Ordinal) (*ecdsa.PrivateKey, error) {
	for round := byte(0); ; round++ {
		scalar := a.derive(purpose, fleet, o, round)
		key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar[:])
		if err == nil || round == 3 {
			return key, err
		}
	}
}

func (a *Authority) window() (from, to time.Time) {
	from = a.Since.UTC().Truncate(time.Second)
	if a.Since.IsZero() {
		from = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if a.Life > 0 {
		return from, from.Add(a.Life)
	}
	return from, time.Date(2049, 12, 31, 23, 59, 59, 0, time.UTC)
}

func (a *Authority) template(key *ecdsa.PrivateKey, name string) (*x509.Certificate, error) {
	public, err := key.PublicKey.Bytes()
	if err != nil {
		return nil, err
	}
	id := sha256.Sum256(public)
	from, to := a.window()
	return &x509.Certificate{
		// Positive and below 20 octets (RFC 5280 section 4.1.2.2), and one per key and name.
		SerialNumber: new(big.Int).SetBytes(append([]byte{1}, id[:15]...)),
		Subject:      pkix.Name{CommonName: name, Organization: []string{"Myriad rehearsal"}},
		SubjectKeyId: id[:20],
		NotBefore:    from, NotAfter: to,
		KeyUsage: x509.KeyUsageDigitalSignature,
	}, nil
}

func (a *Authority) signer() (*signer, error) {
	a.once.Do(func() { a.err = a.found() })
	return &a.own, a.err
}

// found makes the authority's own certificate.
func (a *Authority) found() error {
	key, err := a.key(forAuthority, 0, 0)
	if err != nil {
		return fmt.Errorf("identity: authority: %w", err)
	}
	t, err := a.template(key, fmt.Sprintf("Myriad test authority %016x", sim.Mix(a.Seed)))
	if err != nil {
		return fmt.Errorf("identity: authority: %w", err)
	}
	t.IsCA, t.BasicConstraintsValid, t.MaxPathLenZero = true, true, true
	t.KeyUsage |= x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	der, err := x509.CreateCertificate(nil, t, t, key.Public(), key) // nil: RFC 6979
	if err != nil {
		return fmt.Errorf("identity: authority: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return fmt.Errorf("identity: authority: %w", err)
	}
	a.own = signer{key, certificate}
	return nil
}

// issue signs t. The certificate's Leaf stays nil: whoever shows it needs its bytes only.
func (a *Authority) issue(t *x509.Certificate, key *ecdsa.PrivateKey) (*tls.Certificate, error) {
	s, err := a.signer()
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(nil, t, s.certificate, key.Public(), s.key)
	if err != nil {
		return nil, fmt.Errorf("identity: %q: %w", t.Subject.CommonName, err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// Device mints the certificate of a device: its common name is id, "<fleet>-<ordinal>" as a rule, and
// so is its URI, "urn:myriad:<id>". It takes well below a millisecond: mint it when it is asked for.
func (a *Authority) Device(fleet uint16, o sim.Ordinal, id string) (*tls.Certificate, error) {
	key, err := a.key(forDevice, fleet, o)
	if err != nil {
		return nil, fmt.Errorf("identity: %q: %w", id, err)
	}
	t, err := a.template(key, id)
	if err != nil {
		return nil, fmt.Errorf("identity: %q: %w", id, err)
	}
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	t.URIs = []*url.URL{{Scheme: "urn", Opaque: "myriad:" + url.PathEscape(id)}}
	return a.issue(t, key)
}

// Server mints the certificate of the target's services: for localhost, 127.0.0.1, ::1 and the
// given host names and addresses.
func (a *Authority) Server(hosts ...string) (*tls.Certificate, error) {
	key, err := a.key(forServer, 0, 0)
	if err != nil {
		return nil, fmt.Errorf("identity: server: %w", err)
	}
	t, err := a.template(key, "myriad test server")
	if err != nil {
		return nil, fmt.Errorf("identity: server: %w", err)
	}
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	t.DNSNames = []string{"localhost"}
	t.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	for _, h := range hosts {
		if ip, err := netip.ParseAddr(h); err == nil {
			t.IPAddresses = append(t.IPAddresses, ip.AsSlice())
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	return a.issue(t, key)
}

// PSK is a device's pre-shared key for DTLS: its identity hint, which is id, and 16 bytes, [Authority.Key].
func (a *Authority) PSK(_ uint16, _ sim.Ordinal, id string) (identity, key []byte) {
	return []byte(id), a.Key([]byte(id))
}

// Key is the pre-shared key of whoever has this identity. It follows from the identity and the seed alone,
// because that is all that a server learns of a device before it must know the key.
func (a *Authority) Key(identity []byte) []byte {
	b := append(make([]byte, 0, 64), "myriad identity 1 "...)
	b = append(append(b, forPSK...), 0)
	b = append(binary.BigEndian.AppendUint64(b, a.Seed), identity...)
	sum := sha256.Sum256(b)
	return sum[:16]
}

// Pool holds the authority's certificate: the roots that its servers and devices are checked against.
func (a *Authority) Pool() (*x509.CertPool, error) {
	s, err := a.signer()
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(s.certificate)
	return pool, nil
}

// CA is the authority's certificate in PEM: what a broker that shall trust the devices is given.
func (a *Authority) CA() ([]byte, error) {
	s, err := a.signer()
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.certificate.Raw}), nil
}

// PEM is a certificate and its key (PKCS #8) as files hold them.
func PEM(c *tls.Certificate) (certificate, key []byte, err error) {
	for _, der := range c.Certificate {
		certificate = append(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		return nil, nil, fmt.Errorf("identity: %w", err)
	}
	return certificate, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
