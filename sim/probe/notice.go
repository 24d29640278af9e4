package probe

import (
	"slices"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// Notices travel among the child's records: stamped with a run that is not the probe's, so that none is taken
// for a sighting, and in their order, which a second pipe would not keep. What a notice says is in the number
// of its stamp; 0 says only that something came that is no sighting.
const (
	noticeOutage  uint32 = 1 << iota // of the outage whose number is the device's; the microseconds of the due instant number its endpoint
	noticeEnded                      // it is over since the record's instant; else it began then
	noticeResumed                    // and the session was resumed
	noticeOwn                        // this machine was why
	noticeLower                      // it is a subscription with a lower QoS: see [ledger.Outage]
	noticeStall                      // the child did not run; the due instant is for how long, the record's when that ended
	noticeBeat                       // the child runs
	noticeBehind                     // and has not read yet what queued up while it did not
)

// noise says that something came.
func noise(run uint32, at sim.Instant) sim.Sighting {
	return sim.Sighting{Stamp: sim.Stamp{Run: ^run}, At: at}
}

// noticeOf says what is known of the n-th outage.
func noticeOf(run uint32, n int, o *ledger.Outage) sim.Sighting {
	s := sim.Sighting{Stamp: sim.Stamp{Run: ^run, Device: sim.Ordinal(n), Seq: noticeOutage, Due: time.Duration(o.Index) * time.Microsecond}, At: o.From}
	if !o.Lasts {
		s.Stamp.Seq |= noticeEnded
		s.At = o.To
	}
	if o.Resumed {
		s.Stamp.Seq |= noticeResumed
	}
	if o.Own {
		s.Stamp.Seq |= noticeOwn
	}
	if o.Lower {
		s.Stamp.Seq |= noticeLower
	}
	return s
}

// note takes a notice.
func (r *Remote) note(s *sim.Sighting) {
	switch kind := s.Stamp.Seq; {
	case kind&noticeBeat != 0:
		r.runs(s.At, kind&noticeBehind != 0)
		return // nothing has come
	case kind&noticeStall != 0:
		r.stalled(s.At-s.Stamp.Due, s.At)
	case kind&noticeOutage != 0:
		r.away(s)
	}
	r.came()
}

// away takes a notice of an outage, and hands on all that are known then.
func (r *Remote) away(s *sim.Sighting) {
	kind, n, index, endpoints := s.Stamp.Seq, int(s.Stamp.Device), int(s.Stamp.Due/time.Microsecond), r.Endpoints[ListenScheme(r.Endpoints)]
	r.mu.Lock()
	defer r.mu.Unlock()
	if n > len(r.places) || index >= len(endpoints) {
		return
	}
	if n == len(r.places) {
		r.places = append(r.places, len(r.outages))
		r.outages = append(r.outages, ledger.Outage{
			Endpoint: endpoints[index], Index: index, Of: len(endpoints), From: s.At, Lasts: true, Lower: kind&noticeLower != 0,
		})
	}
	o := &r.outages[r.places[n]]
	o.Own = o.Own || kind&noticeOwn != 0
	if kind&noticeEnded != 0 {
		o.To, o.Lasts, o.Resumed = s.At, false, kind&noticeResumed != 0
	}
	r.tell()
}

// Outages returns the times up to now in which the probe was not subscribed at an endpoint, or did not run, as they
// became known. To of one that lasts is not set.
func (r *Remote) Outages() []ledger.Outage {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.outages)
}
