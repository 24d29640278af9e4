package cluster

import (
	"net/netip"
	"slices"
	"testing"
)

func TestReachable(t *testing.T) {
	var mine []netip.Addr
	for _, a := range []string{"127.0.0.1", "10.0.0.7", "169.254.3.4", "172.17.0.1", "::1", "fe80::1", "2001:db8::7"} {
		mine = append(mine, netip.MustParseAddr(a))
	}
	for _, tt := range []struct {
		url  string
		mine []netip.Addr
		want []string
	}{
		{"tls://0.0.0.0:4222", mine, []string{"tls://10.0.0.7:4222", "tls://172.17.0.1:4222"}},
		{"tls://[::]:4222", mine, []string{"tls://10.0.0.7:4222", "tls://172.17.0.1:4222", "tls://[2001:db8::7]:4222"}},
		{"tls://10.0.0.7:4222", mine, []string{"tls://10.0.0.7:4222"}},
		{"nats://127.0.0.1:4222", mine, []string{"nats://127.0.0.1:4222"}},
		{"tls://bench.lab:4222", mine, []string{"tls://bench.lab:4222"}},
		{"tls://0.0.0.0:4222", mine[:1], []string{"tls://127.0.0.1:4222"}},
		{"tls://[::]:4222", nil, []string{"tls://[::1]:4222"}},
		{"::", mine, []string{"::"}},
	} {
		if got := reachable(tt.url, tt.mine); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.url, got, tt.want)
		}
	}
}
