package sim

// Conditions are what the link of one device is like. The zero value is a clear link, for ever. Both
// directions have the same conditions but for their rates, and each has its own losses and its own queue.
type Conditions struct {
	Delay  Duration `json:"delay,omitempty"`  // of each packet, one way; below 0 counts as 0
	Jitter Duration `json:"jitter,omitempty"` // by how much that is more or less: any such delay is as likely as any other
	Loss   float64  `json:"loss,omitempty"`   // the share of packets that are lost, from 0 to 1
	Twice  float64  `json:"twice,omitempty"`  // the share of datagrams that come twice, of those that come
	Rate   int64    `json:"rate,omitempty"`   // bytes of payload a second; 0 and below is unlimited
	Down   int64    `json:"down,omitempty"`   // the same of what comes to the device, if that differs; 0: it is Rate, below 0 is unlimited
	Cut    bool     `json:"cut,omitempty"`    // no packet passes, and neither side gets an error

	// Until is the instant before which nothing of this changes. What waits for the end of a cut waits for
	// exactly this instant, and then asks again. 0, like any instant that has passed, is for ever.
	Until Instant `json:"until_ns,omitempty"`
}

// Clear reports whether packets pass at once, and all of them.
func (c *Conditions) Clear() bool {
	return c.Delay <= 0 && c.Jitter <= 0 && c.Loss <= 0 && c.Twice <= 0 && c.Rate <= 0 && c.Down <= 0 && !c.Cut
}

// RateDown is how many bytes of payload a second come to the device; 0 and below is unlimited.
func (c *Conditions) RateDown() int64 {
	if c.Down == 0 {
		return c.Rate
	}
	return c.Down
}

// lower is the lower one of two rates.
func lower(a, b int64) int64 {
	if a <= 0 || b > 0 && b < a {
		return b
	}
	return a
}

// Add makes c what it is when it meets other as well, which lasts until an instant: the delays follow one another, a
// packet has to come through both, and the lower rate counts. Of two jitters the greatest is their sum: a packet that
// one of them holds up the other holds up as well.
func (c *Conditions) Add(other *Conditions, until Instant) {
	c.Delay = max(c.Delay, 0) + max(other.Delay, 0)
	c.Jitter = max(c.Jitter, 0) + max(other.Jitter, 0)
	c.Loss = 1 - (1-c.Loss)*(1-other.Loss)
	c.Twice = 1 - (1-c.Twice)*(1-other.Twice)
	up, down := lower(c.Rate, other.Rate), lower(c.RateDown(), other.RateDown())
	if c.Rate, c.Down = up, down; max(up, 0) == max(down, 0) {
		c.Down = 0
	} else if down == 0 {
		c.Down = -1
	}
	c.Cut = c.Cut || other.Cut
	if c.Until == 0 || until < c.Until {
		c.Until = until
	}
}

// Weather says what the links of a fleet's devices are like. At is a pure function: the same device and
// the same instant give the same conditions, in every process. It is called for every packet and from any
// goroutine, so it must not allocate or wait. Instants may lie before 0, the run's origin, and behind the
// present.
type Weather interface {
	At(o Ordinal, at Instant) Conditions
}

// Steady is weather that is the same for all devices, all the time.
type Steady struct{ Conditions }

// At implements [Weather].
func (s *Steady) At(Ordinal, Instant) Conditions { return s.Conditions }

// NAT is a network address translator between devices and the target. Of UDP it gives a device that speaks after a
// longer silence another source port; a TCP connection is dead then, in both directions.
type NAT struct {
	Forgets Duration `json:"forgets"`          // it keeps a connection by which no packet passes, in either direction, for so long
	Resets  bool     `json:"resets,omitempty"` // who sends by a TCP connection that it does not know gets a reset; else nothing
}

// Translated is weather on the way to a NAT.
type Translated interface {
	Weather
	// Through is the NAT; nil is none.
	Through() *NAT
	// Forgot is told of each connection of a device that the NAT has forgotten, when a packet finds that: from any
	// goroutine. It must not wait.
	Forgot(o Ordinal, at Instant)
}

// Weather is what the links of the fleet's devices are like; nil if nothing is wrong with them.
func (f *Fleet) Weather() Weather {
	if f.Link == nil || f.Link.Clear() {
		return nil
	}
	return &Steady{*f.Link}
}
