package device

import "github.com/myriad-iot/myriad/sim"

// resume brings a device that another process carried to its state at [Config.Begin], which follows from the
// plan. Two things do not: the connection counts as one that was just lost, and messages that waited in the
// memory of the other process are lost. Message numbers continue.
func (d *Device) resume() {
	begin := d.c.Begin
	if begin <= 0 {
		return
	}
	s := d.c.Program.current.Load()
	d.resuming = true
	for {
		at, instant, what := s.next(d.place, sim.FleetKey(d.c.Seed, int(d.c.Index)), d.Ordinal, d.c.Fleet.Count)
		d.place = at
		if what == effectNone || instant >= begin {
			break
		}
		d.place = s.after(at)
		d.pursue(s, instant-1)
		switch what {
		case effectConnect:
			d.powerOn(s, instant)
		case effectDisconnect:
			d.unwant()
			d.connecting(sim.StateSwitchedOff, instant)
		case effectFault:
			if do := s.acts[at.act].fault.Do; do != nil {
				do(victim{d, s}, instant)
			}
		case effectTask:
			d.begin(s.acts[at.act].act.Task, instant)
		}
		d.c.Gauges.Acted.Add(1)
	}
	d.pursue(s, begin-1)
	d.resuming = false
	d.Calls = d.c.Epoch << 8 // so that message ids and tokens differ from those of the other process
	if d.wanted {
		d.had = true
		d.connecting(sim.StateWaiting, begin)
		d.retry()
		if !d.given {
			d.dialDue = max(d.dialDue, begin+d.dialDue-d.now())
		}
		d.wantDue = d.dialDue
	}
}
