package coap

import "time"

// What a conversation sends of its own accord is bounded here, whatever the peer answers: no answer, and
// no lack of one, can make a device send without end or take from its reports what they need.
const (
	// A path is registered for at most maxRegistrations times in any registrationSpan.
	maxRegistrations = 3
	registrationSpan = time.Minute

	// maxOwn is how many message ids the conversation spends on registrations and on fetches of blocks in
	// one EXCHANGE_LIFETIME: an eighth of all. Two such periods can meet within one lifetime, so that three
	// quarters of the ids are always left for reports.
	maxOwn = blockSize
)

// registrations are the times of the newest registrations of a path. The zero value is none.
type registrations struct {
	at     [maxRegistrations]time.Time
	oldest uint8
}

// add notes a registration at now.
func (r *registrations) add(now time.Time) {
	r.at[r.oldest] = now
	r.oldest = (r.oldest + 1) % maxRegistrations
}

// next is when another one is allowed; the zero time is now.
func (r *registrations) next() time.Time {
	if at := r.at[r.oldest]; !at.IsZero() {
		return at.Add(registrationSpan)
	}
	return time.Time{}
}

// allowance counts the message ids of a conversation's own requests. The zero value has spent none.
type allowance struct {
	until time.Time // end of the period in which spent is counted
	spent uint32
}

// spend takes one at now; a period is lifetime long.
func (a *allowance) spend(now time.Time, lifetime time.Duration) {
	if !now.Before(a.until) {
		a.until, a.spent = now.Add(lifetime), 0
	}
	a.spent++
}

// next is when there is one again; the zero time is now.
func (a *allowance) next() time.Time {
	if a.spent < maxOwn {
		return time.Time{}
	}
	return a.until
}

// ownUntil is when the conversation's own requests are allowed again; zero if they are.
func (c *dialogue) ownUntil() time.Time {
	at := c.shutUntil()
	if c.rare != nil && c.rare.own.next().After(at) {
		at = c.rare.own.next()
	}
	return at
}
