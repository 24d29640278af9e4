package main

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/myriad-iot/myriad/sim/identity"
)

// The files are a pair each, the server's holds for the host that was named, and the device's are the
// bytes that the device of a run shows.
func TestIdentityFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	c := rootCommand()
	var out strings.Builder
	c.SetOut(&out)
	c.SetArgs([]string{"identity", "--seed", "7", "--out", dir, "--host", "broker.test", "--fleet", "meters", "--fleet-index", "1", "--count", "2"})
	if err := c.Execute(); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "\n"); n != 7 {
		t.Errorf("%d files: %s", n, &out)
	}
	load := func(name string) *x509.Certificate {
		t.Helper()
		pair, err := tls.LoadX509KeyPair(filepath.Join(dir, name+".pem"), filepath.Join(dir, name+"-key.pem"))
		if err != nil {
			t.Fatal(err)
		}
		return pair.Leaf
	}
	text, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	if _, err := load("server").Verify(x509.VerifyOptions{Roots: roots, DNSName: "broker.test"}); err != nil {
		t.Error(err)
	}
	shown, err := (&identity.Authority{Seed: 7}).Device(1, 1, "meters-1")
	if err != nil {
		t.Fatal(err)
	}
	if string(load("meters-1").Raw) != string(shown.Certificate[0]) {
		t.Error("the device of a run shows another certificate")
	}
	if i, err := os.Stat(filepath.Join(dir, "meters-0-key.pem")); err != nil || i.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", i, err)
	}
}
