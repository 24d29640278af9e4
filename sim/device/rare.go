package device

import (
	"net"
	"slices"
	"strings"

	"github.com/myriad-iot/myriad/sim"
)

// rare is what only some devices need: those with QoS 2, with commands, or that were sent elsewhere.
type rare struct {
	released []release // QoS 2 messages whose PUBREL was sent
	answers  []answer  // to commands, in order
	numbers  uint32    // of answers so far
	reply    string    // the topic of answers
	redirect string    // the server to call next
	followed bool      // the present or last call was to such a server
}

// release is when a message's PUBREL was written.
type release struct {
	seq uint32
	at  sim.Instant
}

func (d *Device) rarely() *rare {
	if d.rare == nil {
		d.rare = new(rare)
	}
	return d.rare
}

// releasedAt notes when the PUBREL of a message was written.
func (r *rare) releasedAt(seq uint32, at sim.Instant) {
	r.unrelease(seq)
	r.released = append(r.released, release{seq, at})
}

// unrelease forgets a message and returns when its PUBREL was written.
func (r *rare) unrelease(seq uint32) (at sim.Instant, ok bool) {
	for i := range r.released {
		if r.released[i].seq == seq {
			at = r.released[i].at
			r.released = slices.Delete(r.released, i, i+1)
			return at, true
		}
	}
	return 0, false
}

// received is a PUBREC: the message is the server's from here on.
func (d *Device) received(e *sim.Event) {
	if e.Seq&answerBit != 0 {
		if a := d.rarely().answer(e.Seq); a != nil {
			a.received = true
		}
		return
	}
	r := d.out.find(e.Seq)
	if r == nil {
		return
	}
	at := e.At.Sub(d.c.T0)
	r.received = true
	d.rarely().releasedAt(r.seq, at)
	d.step(sim.OpPubrec, r.at, at)
}

// complete is a PUBCOMP.
func (d *Device) complete(seq uint32, at sim.Instant) {
	if d.rare == nil {
		return
	}
	if began, ok := d.rare.unrelease(seq); ok {
		d.step(sim.OpPubcomp, began, at)
	}
}

// step records a part of an exchange.
func (d *Device) step(op sim.Op, began, done sim.Instant) {
	s := d.c.borrow()
	s.sample = sim.Sample{Op: op, Fleet: d.c.Index, Endpoint: d.peer, Device: d.ordinal,
		Due: began, Ready: began, Sent: began, Done: done, Attempts: 1}
	d.c.Recorder.Record(&s.sample)
	d.c.scratch.Put(s)
}

// fresh is what a new session means for what was sent in the one before: a message that had its PUBREC
// is acknowledged, because the server took it and must not get it again (MQTT-4.3.3); any other is a
// first delivery, with an identifier of its own.
func (d *Device) fresh(at sim.Instant) {
	taken := d.out.renew()
	for i := range taken {
		r := &taken[i]
		if d.rare != nil {
			d.rare.unrelease(r.seq)
		}
		d.c.Gauges.Backlog.Add(-1)
		d.account.Acked(r.seq, at)
		d.c.Gauges.Done.Add(1)
		d.record(r, at, sim.OK, 1)
	}
	if d.rare == nil {
		return
	}
	d.rare.answers = slices.DeleteFunc(d.rare.answers, func(a answer) bool { return a.received })
	for i := range d.rare.answers {
		d.rare.answers[i].id = 0
	}
}

// follow takes a Server Reference (5 section 4.11) up: the next call goes there, at once. It is followed
// once, and only to a host that the run was told to load, or to this machine; what else it names is not
// ours to call.
func (d *Device) follow(reference string) bool {
	names := strings.Fields(reference)
	if len(names) == 0 || d.rare != nil && d.rare.followed {
		return false
	}
	scheme := d.c.Fleet.Data().Scheme()
	_, to, ok := sim.ParseEndpoint(string(scheme) + "://" + names[0])
	if !ok {
		return false
	}
	host, _, err := net.SplitHostPort(to)
	if err != nil || !d.allowed(scheme, host) {
		return false
	}
	d.rarely().redirect = to
	d.dialDue = d.now()
	return true
}

func (d *Device) allowed(s sim.Scheme, host string) bool {
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return true
	}
	return slices.ContainsFunc(d.c.Endpoints[s], func(endpoint string) bool {
		address, _, _ := strings.Cut(endpoint, "/")
		known, _, err := net.SplitHostPort(address)
		return err == nil && strings.EqualFold(known, host)
	})
}

// endpoint is where the next call goes. From here on what the device does is done there.
func (d *Device) endpoint() string {
	scheme := d.c.Fleet.Data().Scheme()
	to := ""
	if r := d.rare; r != nil {
		to = r.redirect
		r.redirect, r.followed = "", to != ""
	}
	if to == "" {
		to = d.c.Endpoints.Of(scheme, d.ordinal)
	}
	d.peer = d.c.Endpoints.Number(scheme, to)
	return to
}
