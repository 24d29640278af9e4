package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strings"
	"time"
)

// minToken is how many characters a token has at least beyond loopback: whoever connects sees the public
// key, and may try tokens against it for as long as they like. 20 drawn ones of 32 are 100 bits.
const minToken = 20

// CheckToken returns an error if a token is too weak for a coordinator that listens there. "" is accepted,
// because a random one is drawn then.
func CheckToken(listen, token string) error {
	if n := len(token); n > 0 && n < minToken && listen != "" && !loopback(listen) {
		return fmt.Errorf("the token has %d characters: beyond this machine it needs %d or more that were drawn, as the bus's key follows from it", n, minToken)
	}
	return nil
}

// busKey is the P-256 key that follows from a token (HKDF, RFC 5869). A worker recognises the coordinator by it.
// So whoever has the token can be a worker or a coordinator. One in 2^32 numbers is no scalar of the curve;
// then the next round has one.
func busKey(token string) (*ecdsa.PrivateKey, error) {
	for round := byte(0); ; round++ {
		scalar, err := hkdf.Key(sha256.New, []byte(token), nil, "myriad bus 1 "+string(rune('0'+round)), sha256.Size)
		if err != nil {
			return nil, fmt.Errorf("derive the key of the bus: %w", err)
		}
		key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar)
		if err == nil || round == 3 {
			return key, err
		}
	}
}

// certify makes a certificate for one run's bus, for the key that follows from its token. Workers do not know
// who signed it: they know that key, or the certificate's fingerprint if they were told.
func certify(token string) (*tls.Config, string, error) {
	key, err := busKey(token)
	if err != nil {
		return nil, "", err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, "", fmt.Errorf("make a certificate for the bus: %w", err)
	}
	now := time.Now()
	template := x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "myriad coordinator"}, DNSNames: []string{"myriad"},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.Add(30 * 24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		return nil, "", fmt.Errorf("make a certificate for the bus: %w", err)
	}
	sum := sha256.Sum256(der)
	c := &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
	}
	return c, hex.EncodeToString(sum[:]), nil
}

var (
	errFingerprint = errors.New("the coordinator's certificate has another fingerprint: is this the run that was meant?")
	errKey         = errors.New("the coordinator's key does not follow from this token: is the token right, and is this the run that was meant?")
)

// pinned accepts the one certificate with the fingerprint, or if there is none those of the token's key. Names
// and signers say nothing here, so the standard verification is replaced, not left out.
func (p *Place) pinned() (*tls.Config, error) {
	key, err := busKey(p.Token)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, InsecureSkipVerify: true,
		VerifyConnection: func(s tls.ConnectionState) error {
			if p.Fingerprint == "" {
				if len(s.PeerCertificates) == 0 || !key.PublicKey.Equal(s.PeerCertificates[0].PublicKey) {
					return errKey
				}
				return nil
			}
			if len(s.PeerCertificates) == 0 {
				return errFingerprint
			}
			sum := sha256.Sum256(s.PeerCertificates[0].Raw)
			if !strings.EqualFold(hex.EncodeToString(sum[:]), p.Fingerprint) {
				return errFingerprint
			}
			return nil
		},
	}, nil
}

// clear reports whether the token may be sent as it is: to this machine, unless TLS was asked for.
func (p *Place) clear() bool {
	scheme, address, ok := strings.Cut(p.URL, "://")
	if !ok {
		scheme, address = "nats", p.URL
	}
	return scheme == "nats" && loopback(address) && p.Fingerprint == ""
}

// loopback reports whether only this machine can reach an address to listen on.
func loopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
