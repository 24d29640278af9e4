package words

import "testing"

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{
		"64 MB": 64e6, "64MB": 64e6, "64 MiB": 64 << 20, "500 kB": 500e3, "1.5 GB": 1.5e9, "0 B": 0, "1,000 B": 1000, "1 KiB": 1024, "0.5 GiB": 1 << 29, "4.1 MB": 4_100_000, "1.07 GB": 1_070_000_000, "2.01 kB": 2010,
	} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("%q is %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "64", "MB", "-1 MB", "64 Mb", "1.5 B", "9999999999 GB", "1,00 B", "64  MB"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
}

func TestProcessorsAndMultiples(t *testing.T) {
	for text, want := range map[string]float64{"10%": 0.1, "150%": 1.5, "0 %": 0, "12.5%": 0.125} {
		if got, err := ParseCPU(text); err != nil || got != want {
			t.Errorf("%q is %v, %v, want %v", text, got, err, want)
		}
	}
	for text, want := range map[string]float64{"2 times": 2, "1.5 times": 1.5, "1,000 times": 1000} {
		if got, err := ParseTimes(text); err != nil || got != want {
			t.Errorf("%q is %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "10", "-1%", "1,000%", "200001%", "%"} {
		if got, err := ParseCPU(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
	for _, text := range []string{"", "2", "0 times", "-2 times", "2times", "9999999 times"} {
		if got, err := ParseTimes(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}
