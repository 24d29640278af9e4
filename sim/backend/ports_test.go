package backend

import "testing"

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
