package sim

import "math/bits"

// Salts give each purpose its own random stream, so that drawing more numbers for one purpose never changes
// the numbers of another.
const (
	SaltPhase  uint64 = 0x70686173 // offset of the first report
	SaltJitter uint64 = 0x6a697474 // jitter of each report
	SaltRetry  uint64 = 0x72657472 // reconnect delays
	SaltSignal uint64 = 0x7369676e // sensor values
	SaltCoAP   uint64 = 0x636f6170 // message ids, tokens, retransmission timeouts
	SaltUp     uint64 = 0x75706c6b // which packets of a device are lost
	SaltDown   uint64 = 0x646f776e // which packets to a device are lost
	SaltToken  uint64 = 0x746f6b65 // how long before the end of a token a device renews it
	SaltClock  uint64 = 0x636c6f63 // what the clock of a device is wrong by
	SaltTwice  uint64 = 0x74776963 // with SaltUp or SaltDown: which packets come twice
	SaltLate   uint64 = 0x6c617465 // with SaltUp or SaltDown: by how much the delays of packets differ
)

// Mix is the finaliser of SplitMix64: a bijection on 64 bits whose output looks random.
func Mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// FleetKey is the key of a fleet's random streams.
func FleetKey(seed uint64, fleet int) uint64 { return Mix(Mix(seed) ^ uint64(fleet)) }

// DeviceKey is the key of a device's random streams.
func DeviceKey(seed uint64, fleet int, o Ordinal) uint64 {
	return Mix(FleetKey(seed, fleet) ^ uint64(o)<<1 ^ 1)
}

// Draw returns the n-th number of the stream (key, salt), uniform in [0, 1). It is a pure function: draws need
// no state and may be made in any order.
func Draw(key, salt, n uint64) float64 { return float64(Bits(key, salt, n)>>11) / (1 << 53) }

// Bits is Draw's 64 bits.
func Bits(key, salt, n uint64) uint64 { return Mix(Mix(key^salt) + n) }

// permute is a seeded bijection on [0, n): a four-round Feistel network on the next even power of two,
// repeated until the result is below n.
func permute(key uint64, x, n uint32) uint32 {
	if n <= 1 {
		return 0
	}
	half := uint(bits.Len32(n-1)+1) / 2
	mask := uint32(1)<<half - 1
	for {
		l, r := x>>half&mask, x&mask
		for round := range uint64(4) {
			l, r = r, l^uint32(Mix(key+round<<40+uint64(r)))&mask
		}
		if x = l<<half | r; x < n {
			return x
		}
	}
}
