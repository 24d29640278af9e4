package coap

import (
	"cmp"
	"math"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// Of RFC 7252 section 4.8.2, not configurable there.
const maxLatency = 100 * time.Second

// maxRepeats bounds MAX_RETRANSMIT; with ACK_TIMEOUT at its default it stands for 48 days.
const maxRepeats = 20

// timing holds the transmission parameters of RFC 7252 section 4.8 and those derived in 4.8.2.
type timing struct {
	ackTimeout time.Duration
	spread     time.Duration // ACK_TIMEOUT*(ACK_RANDOM_FACTOR-1)
	repeats    int           // MAX_RETRANSMIT
	nstart     int
	wait       time.Duration // MAX_TRANSMIT_WAIT
	lifetime   time.Duration // EXCHANGE_LIFETIME
}

func newTiming(p *sim.CoAP) timing {
	t := timing{
		ackTimeout: cmp.Or(max(p.AckTimeout.D(), 0), 2*time.Second),
		repeats:    4,
		nstart:     max(p.NStart, 1),
	}
	if p.MaxRetransmit != nil {
		t.repeats = min(max(*p.MaxRetransmit, 0), maxRepeats)
	}
	factor := 1.5
	if p.RandomFactor != 0 {
		factor = max(p.RandomFactor, 1)
	}
	longest := t.scale(factor)
	t.spread = longest - t.ackTimeout
	t.wait = saturate(float64(longest) * float64(uint64(2)<<t.repeats-1))
	span := saturate(float64(longest) * float64(uint64(1)<<t.repeats-1))
	t.lifetime = span + 2*maxLatency + t.ackTimeout // PROCESSING_DELAY is ACK_TIMEOUT
	return t
}

// TransmitWait is MAX_TRANSMIT_WAIT (RFC 7252 section 4.8.2), 93 s by default: the most that a sender
// waits for the acknowledgement of a confirmable message.
func TransmitWait(p *sim.CoAP) time.Duration {
	t := newTiming(p)
	return t.wait
}

// first is the first timeout of a message, for a draw in [0, 1).
func (t *timing) first(draw float64) time.Duration {
	return t.ackTimeout + time.Duration(draw*float64(t.spread))
}

func (t *timing) scale(f float64) time.Duration { return saturate(float64(t.ackTimeout) * f) }

// saturate keeps durations so far from overflow that two of them can be added.
func saturate(ns float64) time.Duration { return time.Duration(min(ns, math.MaxInt64/4)) }
