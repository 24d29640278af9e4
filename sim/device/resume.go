package device

import "github.com/myriad-iot/myriad/sim"

// resume brings a device that another process carried to where its life is at [Config.Begin]: a pure
// function of the plan, but for the connection, which is as one that just broke, and for what waited in
// its memory, which went with the other process. Numbers of reports go on where they were.
func (d *Device) resume() {
	begin := d.c.Begin
	if begin <= 0 {
		return
	}
	s := d.c.Program.current.Load()
	for {
		at, instant, what := s.next(d.place, sim.FleetKey(d.c.Seed, int(d.c.Index)), d.ordinal, d.c.Fleet.Count)
		d.place = at
		if what == effectNone || instant >= begin {
			break
		}
		d.place = s.after(at)
		d.pass(s, instant-1)
		switch what {
		case effectConnect:
			d.powerOn(s, instant)
		case effectDisconnect:
			d.unwant()
		case effectPowerLoss:
			d.unwant()
			d.on = false
		}
		d.c.Gauges.Acted.Add(1)
	}
	d.pass(s, begin-1)
	d.account.Resume(d.seq)
	d.calls = int(d.c.Epoch) << 8 // keeps message ids and tokens apart from the other's
	if d.wanted {
		d.had = true
		d.retry()
		if !d.given {
			d.dialDue = max(d.dialDue, begin+d.dialDue-d.now())
		}
		d.wantDue = d.dialDue
	}
}

// pass counts the reports that came due at or before an instant, which were another's to make.
func (d *Device) pass(s *script, until sim.Instant) {
	if !d.on {
		return
	}
	for at, ok := d.due(s); ok && at <= until; at, ok = d.due(s) {
		d.turn++
		d.seq++
	}
}
