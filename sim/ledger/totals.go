package ledger

// Totals are the ledger's columns. Due = Sent + Dropped + Unsent. Lost, Refused, Unknown, Unsettled and
// Unwatched are disjoint parts of Sent: a lost message was acknowledged (or is QoS 0) and was seen nowhere at
// the far end; a refused one was answered with a no; an unknown one was never answered and never seen.
type Totals struct {
	Due         uint64    `json:"due"`
	Sent        uint64    `json:"sent"`
	Acked       uint64    `json:"acked"`
	Received    uint64    `json:"received"`  // distinct messages of those sent that a subscriber received
	Stored      uint64    `json:"stored"`    // distinct messages that the backend recorded
	Delivered   uint64    `json:"delivered"` // received or stored
	Lost        uint64    `json:"lost"`
	Duplicated  uint64    `json:"duplicated"` // copies beyond the first, in whichever channel of the device had more
	Reordered   uint64    `json:"reordered"`  // first copies that arrived after a later message of their device
	Unknown     uint64    `json:"unknown"`
	Refused     uint64    `json:"refused,omitempty"`           // the target answered that it does not take it, and nobody saw it
	Nobody      uint64    `json:"nobody_subscribed,omitempty"` // the part of Acked of which the broker said that nobody subscribes to it
	LostNobody  uint64    `json:"lost_nobody,omitempty"`       // the part of Lost of which it said so
	Unanswered  uint64    `json:"unanswered,omitempty"`        // sent at QoS 1 or 2, or confirmable, and never answered, seen or not
	Unsettled   uint64    `json:"unsettled"`                   // acknowledged so shortly before the end that they may be on their way
	Resent      uint64    `json:"resent"`
	Dropped     uint64    `json:"dropped"`                  // dropped from a full buffer
	Unsent      uint64    `json:"unsent"`                   // in the buffer at the end
	Phantom     uint64    `json:"phantom"`                  // seen, and never sent
	Undelivered uint64    `json:"undelivered"`              // stored, but no subscriber received it
	Gone        uint64    `json:"simulator_lost,omitempty"` // came due before another worker took their device over: not in Due, neither lost nor delivered
	LostQoS     [3]uint64 `json:"lost_by_qos"`
	SentQoS     [3]uint64 `json:"sent_by_qos"`
	AckedQoS    [3]uint64 `json:"acked_by_qos,omitzero"` // nobody acknowledges QoS 0

	UnsettledQoS [3]uint64 `json:"unsettled_by_qos"`

	// What was settled on the sender's side while nobody watched the far end, in all, and what of it was never
	// seen, which is neither lost nor delivered.
	Away         uint64    `json:"sent_unwatched,omitempty"`
	Unwatched    uint64    `json:"unwatched,omitempty"`
	Astray       uint64    `json:"sent_astray,omitempty"` // the part of Away that was sent to a server where a redirect led
	UnwatchedQoS [3]uint64 `json:"unwatched_by_qos,omitzero"`
}

// Evidence is the evidence for one device whose account is not clean. Ranges are inclusive
// "a-b" lists of sequence numbers.
type Evidence struct {
	Device     string `json:"device"`
	Stream     string `json:"stream,omitempty"` // where its fleet has several
	Due        uint64 `json:"due"`
	Lost       string `json:"lost,omitempty"`
	Unknown    string `json:"unknown,omitempty"`
	Refused    string `json:"refused,omitempty"`
	Unsettled  string `json:"unsettled,omitempty"`
	Unwatched  string `json:"unwatched,omitempty"`
	Phantom    string `json:"phantom,omitempty"`
	Duplicated uint64 `json:"duplicated,omitempty"`
	Reordered  uint64 `json:"reordered,omitempty"`
	Dropped    uint64 `json:"dropped,omitempty"`
	Unsent     uint64 `json:"unsent,omitempty"`
}

// severity orders the devices that are not clean; 0 is clean.
func (t *Totals) severity() uint8 {
	for i, n := range [...]uint64{
		t.Lost, t.Phantom, t.Duplicated, t.Reordered, t.Refused, t.Unwatched, t.Unsettled, t.Unknown, t.Dropped, t.Unsent,
	} {
		if n > 0 {
			return uint8(10 - i)
		}
	}
	return 0
}

// Promised is how many messages sent with a QoS somebody promised to deliver: those acknowledged; of QoS 0, all.
func (t *Totals) Promised(qos int) uint64 {
	if qos == 0 {
		return t.SentQoS[0]
	}
	return t.AckedQoS[qos]
}

// Add adds u to t.
func (t *Totals) Add(u *Totals) {
	t.Due += u.Due
	t.Sent += u.Sent
	t.Acked += u.Acked
	t.Received += u.Received
	t.Stored += u.Stored
	t.Delivered += u.Delivered
	t.Lost += u.Lost
	t.Duplicated += u.Duplicated
	t.Reordered += u.Reordered
	t.Unknown += u.Unknown
	t.Refused += u.Refused
	t.Nobody += u.Nobody
	t.LostNobody += u.LostNobody
	t.Unanswered += u.Unanswered
	t.Unsettled += u.Unsettled
	t.Resent += u.Resent
	t.Dropped += u.Dropped
	t.Unsent += u.Unsent
	t.Phantom += u.Phantom
	t.Undelivered += u.Undelivered
	t.Gone += u.Gone
	t.Away += u.Away
	t.Astray += u.Astray
	t.Unwatched += u.Unwatched
	for q := range t.SentQoS {
		t.SentQoS[q] += u.SentQoS[q]
		t.AckedQoS[q] += u.AckedQoS[q]
		t.LostQoS[q] += u.LostQoS[q]
		t.UnsettledQoS[q] += u.UnsettledQoS[q]
		t.UnwatchedQoS[q] += u.UnwatchedQoS[q]
	}
}
