package identity

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"os"

	"github.com/myriad-iot/myriad/sim"
)

func mint(t *testing.T, a *Authority, fleet uint16, o sim.Ordinal, id string) []byte {
	t.Helper()
	c, err := a.Device(fleet, o, id)
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := PEM(c)
	if err != nil {
		t.Fatal(err)
	}
	return append(cert, key...)
}

// Two authorities of one seed are two processes: they mint the same bytes, and nothing but seed,
// fleet and ordinal makes a key.
func TestIdentityFollowsFromSeedFleetOrdinal(t *testing.T) {
	first := mint(t, &Authority{Seed: 7}, 1, 42, "meters-42")
	if again := mint(t, &Authority{Seed: 7}, 1, 42, "meters-42"); !bytes.Equal(first, again) {
		t.Error("the same device has two identities")
	}
	for name, other := range map[string][]byte{
		"seed":    mint(t, &Authority{Seed: 8}, 1, 42, "meters-42"),
		"fleet":   mint(t, &Authority{Seed: 7}, 2, 42, "meters-42"),
		"ordinal": mint(t, &Authority{Seed: 7}, 1, 43, "meters-42"),
	} {
		if bytes.Equal(first, other) {
			t.Errorf("another %s gives the same identity", name)
		}
	}
	one, two := &Authority{Seed: 7}, &Authority{Seed: 7}
	ca, err := one.CA()
	if err != nil {
		t.Fatal(err)
	}
	if ca2, _ := two.CA(); !bytes.Equal(ca, ca2) {
		t.Error("one seed, two authorities")
	}
}

// These bytes are what users have configured their brokers with: they must not change by accident.
func TestKeysStay(t *testing.T) {
	a := &Authority{Seed: 1}
	key, err := a.key(forDevice, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := key.Bytes()
	const want = "7c38f2248d50b0610a5ccf4b29e948b647bbe1db6e641c9a9c1f03bb7a023c39"
	if got := hex.EncodeToString(raw); got != want {
		t.Errorf("device key %s, want %s", got, want)
	}
	id, psk := a.PSK(0, 0, "m-0")
	if got := string(id) + " " + hex.EncodeToString(psk); got != "m-0 3e65a4e85c6a98956fda6670e79783db" {
		t.Errorf("PSK %s", got)
	}
}

// Both ends accept each other, with the names that they dial, and nobody else's.
func TestCertificatesVerify(t *testing.T) {
	a, stranger := &Authority{Seed: 3}, &Authority{Seed: 4}
	pool, err := a.Pool()
	if err != nil {
		t.Fatal(err)
	}
	parse := func(c *tls.Certificate, err error) *x509.Certificate {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(c.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		return leaf
	}
	server := parse(a.Server("broker.example", "192.0.2.7"))
	for _, name := range []string{"127.0.0.1", "localhost", "::1", "broker.example", "192.0.2.7"} {
		if _, err := server.Verify(x509.VerifyOptions{Roots: pool, DNSName: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := server.Verify(x509.VerifyOptions{Roots: pool, DNSName: "other.example"}); err == nil {
		t.Error("a certificate for any name")
	}
	device := x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	leaf := parse(a.Device(0, 5, "meters-5"))
	if _, err := leaf.Verify(device); err != nil || leaf.Subject.CommonName != "meters-5" ||
		len(leaf.URIs) != 1 || leaf.URIs[0].String() != "urn:myriad:meters-5" {
		t.Errorf("%v, %v, %v", err, leaf.Subject, leaf.URIs)
	}
	if _, err := server.Verify(device); err == nil {
		t.Error("the server's certificate passes for a device's")
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}); err == nil {
		t.Error("a device's certificate passes for a server's")
	}
	if _, err := parse(stranger.Device(0, 5, "meters-5")).Verify(device); err == nil {
		t.Error("another authority's device is accepted")
	}
	late := device
	late.CurrentTime = time.Date(2050, 1, 1, 0, 0, 0, 0, time.UTC)
	if _, err := leaf.Verify(late); err == nil {
		t.Error("valid for ever")
	}
	short := &Authority{Seed: 3, Since: time.Date(2025, 5, 5, 0, 0, 0, 0, time.UTC), Life: time.Hour}
	if leaf := parse(short.Device(0, 5, "d")); !leaf.NotBefore.Equal(short.Since) || leaf.NotAfter.Sub(leaf.NotBefore) != time.Hour {
		t.Errorf("valid from %v to %v", leaf.NotBefore, leaf.NotAfter)
	}
}

// OpenSSL, which most brokers stand on, takes what Go made.
func TestOpenSSLVerifies(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("openssl is not installed, and CI wants it")
		}
		t.Skip("openssl is not installed")
	}
	a, dir := &Authority{Seed: 9}, t.TempDir()
	ca, err := a.CA()
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	root := write("ca.pem", ca)
	server, err := a.Server()
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := PEM(server)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, purpose string }{
		{write("device.pem", mint(t, a, 0, 1, "d-1")), "sslclient"},
		{write("server.pem", append(cert, key...)), "sslserver"},
	} {
		out, err := exec.Command(openssl, "verify", "-x509_strict", "-purpose", c.purpose, "-CAfile", root, c.path).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "OK") {
			t.Errorf("%s: %v, %s", c.purpose, err, out)
		}
	}
}

func BenchmarkDevice(b *testing.B) {
	a := &Authority{Seed: 1}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := a.Device(0, sim.Ordinal(i), "meters-1"); err != nil {
			b.Fatal(err)
		}
	}
}
