package device

import (
	"testing"
	"unsafe"

	"github.com/myriad-iot/myriad/sim/ledger"
)

// The parts of a device must not grow unnoticed: with a hundred thousand devices a field of 8 bytes, or the
// next size class of the allocator (256, 288, 320), is megabytes. Who needs more says here what it costs.
func TestSizeOfADevice(t *testing.T) {
	for _, test := range []struct {
		name        string
		size, limit uintptr
	}{
		{"Device", unsafe.Sizeof(Device{}), 288},
		{"part of a skill", unsafe.Sizeof(part{}), 64},
		{"message in the outbox", unsafe.Sizeof(item{}), 32},
		{"account of a stream", unsafe.Sizeof(ledger.Account{}), 112},
		{"account of a journey", unsafe.Sizeof(ledger.Journey{}), 48},
	} {
		t.Logf("%s: %d bytes", test.name, test.size)
		if test.size > test.limit {
			t.Errorf("%s: %d bytes, limit %d", test.name, test.size, test.limit)
		}
	}
}
