package device

import (
	"net"
	"slices"
	"strings"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// extra is the state that only some devices need: those that use QoS 2 or were redirected to another server.
type extra struct {
	released []release // QoS 2 messages whose PUBREL was sent
	redirect string    // the server to call next
	followed bool      // the present or last call went to such a server
}

// release is when a message's PUBREL was written.
type release struct {
	seq    uint32
	stream sim.Stream
	at     sim.Instant
}

// needExtra returns the extra state and makes it when there is none.
func (d *Device) needExtra() *extra {
	if d.extra == nil {
		d.extra = new(extra)
	}
	return d.extra
}

// releasedAt notes when the PUBREL of a message was written.
func (r *extra) releasedAt(stream sim.Stream, seq uint32, at sim.Instant) {
	r.unrelease(stream, seq)
	r.released = append(r.released, release{seq, stream, at})
}

// unrelease forgets a message and returns when its PUBREL was written.
func (r *extra) unrelease(stream sim.Stream, seq uint32) (at sim.Instant, ok bool) {
	for i := range r.released {
		if r.released[i].seq == seq && r.released[i].stream == stream {
			at = r.released[i].at
			r.released = slices.Delete(r.released, i, i+1)
			return at, true
		}
	}
	return 0, false
}

// received handles a PUBREC: from here on the server is responsible for the message (MQTT 5 section 4.3.3).
func (d *Device) received(e *sim.Event) {
	r := d.out.find(e.Stream, e.Seq)
	if r == nil {
		return
	}
	r.state |= received
	if e.Nobody {
		d.part(r.stream).account.Nobody(r.seq)
	}
	if !d.c.streams[r.stream].Telemetry() {
		return
	}
	at := e.At.Sub(d.T0)
	d.needExtra().releasedAt(r.stream, r.seq, at)
	d.Note(sim.OpPubrec, r.at, at, sim.OK)
}

// complete handles a PUBCOMP, which ends a QoS 2 delivery.
func (d *Device) complete(r *item, at sim.Instant) {
	if d.extra == nil {
		return
	}
	if began, ok := d.extra.unrelease(r.stream, r.seq); ok {
		d.Note(sim.OpPubcomp, began, at, sim.OK)
	}
}

// fresh handles the start of a new session for messages that were sent in the old one. A message whose
// PUBREC came counts as acknowledged, because the server has it and must not get it again (MQTT-4.3.3).
// Any other message will be a first delivery, with a new packet identifier.
func (d *Device) fresh(at sim.Instant) {
	taken := d.out.renew()
	for i := range taken {
		r := &taken[i]
		if d.extra != nil {
			d.extra.unrelease(r.stream, r.seq)
		}
		d.waits(-1)
		d.part(r.stream).account.Acked(r.seq, at)
		d.c.Gauges.Done.Add(1)
		d.over(r, at, sim.OK, 1)
	}
}

// follow uses a Server Reference (MQTT 5 section 4.11): the next call goes to that server, at once. It
// returns false when it does not follow it: a redirected call is not redirected again, and the host must
// be one of the run's endpoints or this machine, because nobody allowed load on any other.
func (d *Device) follow(reference string) bool {
	names := strings.Fields(reference)
	if len(names) == 0 || d.extra != nil && d.extra.followed {
		return false
	}
	scheme := d.c.data.Scheme()
	at, to, err := sim.ParseEndpoint(names[0], scheme)
	if host, _, _ := sim.SplitAddress(to); err != nil || at != scheme || !d.allowed(scheme, host) {
		return false
	}
	d.needExtra().redirect = to
	d.dialDue, d.grant = d.now(), true
	return true
}

// allowed reports whether a redirect may lead to a host.
func (d *Device) allowed(s sim.Scheme, host string) bool {
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return true
	}
	return slices.ContainsFunc(d.c.Endpoints[s], func(endpoint string) bool {
		known, _, _ := sim.SplitAddress(endpoint)
		return strings.EqualFold(known, host)
	})
}

// endpoint returns the address of the next call. From here on samples of the device name this endpoint.
func (d *Device) endpoint() string {
	scheme := d.c.data.Scheme()
	to := ""
	if r := d.extra; r != nil {
		to = r.redirect
		r.redirect, r.followed = "", to != ""
	}
	if to == "" {
		to = d.c.Endpoints.Of(scheme, d.c.Fleet.Original(d.Ordinal))
	}
	d.peer = sim.EndpointOn(d.c.line, d.c.Endpoints.Number(scheme, to))
	return to
}

// astray reports whether a redirect led the device to another server than the one that it belongs to.
func (d *Device) astray() bool {
	scheme := d.c.data.Scheme()
	return d.extra != nil && d.extra.followed && d.peer != d.c.Endpoints.Number(scheme, d.c.Endpoints.Of(scheme, d.c.Fleet.Original(d.Ordinal)))
}

// receiver is the account of what the device hears of others; nil if it subscribes to nothing.
func (d *Device) receiver() *ledger.Receiver {
	if d.c.Receiver == nil || len(d.c.data.MQTT.Subscribe) == 0 {
		return nil
	}
	return d.c.Receiver(d.Ordinal)
}
