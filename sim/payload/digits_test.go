package payload

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"
)

// The standard library is the oracle.
func TestTimeAsTheStandardLibraryHasIt(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	list := []int64{0, -1, 1, 951782399999, 951782400000, -62167219200000, 253402300799999, 253402300800000, 4107542400000}
	for range 200_000 {
		list = append(list, rnd.Int64N(600_000_000_000_000)-200_000_000_000_000)
	}
	for _, ms := range list {
		want := time.UnixMilli(ms).UTC().Format(layout)
		if got := string(appendTime(nil, ms)); got != want {
			t.Fatalf("%d: %s, want %s", ms, got, want)
		}
	}
}

func TestDecimalsAsTheStandardLibraryHasThem(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for places := range 10 {
		scale := math.Pow10(places)
		for range 20_000 {
			n := rnd.Int64N(2*exact) - exact
			n /= int64(math.Pow10(rnd.IntN(16)))
			want := strconv.AppendFloat(nil, float64(n)/scale, 'f', -1, 64)
			if got := string(appendDecimal(nil, n, places)); got != string(want) {
				t.Fatalf("%d with %d places: %s, want %s", n, places, got, want)
			}
		}
	}
}

func TestMillis(t *testing.T) {
	for _, ms := range []int64{0, 1, 999, 1000, 1234567890123, -1, -1500} {
		want := strconv.FormatFloat(float64(ms)/1000, 'f', 3, 64)
		if got := string(appendMillis(nil, ms)); got != want {
			t.Errorf("%d: %s, want %s", ms, got, want)
		}
	}
}
