package device

import (
	"runtime"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/internal/bubble"
)

func healthy(count int) sim.Fleet {
	f := testFleet(count)
	f.Skills = append(f.Skills, sim.Skill{Name: sim.SkillHealth, Topic: "h/{id}", Every: sim.Duration(7 * time.Second)})
	return f
}

// Two skills of one device: each has its own stream, schedule and account, and neither moves the other.
func TestSkillsSideBySide(t *testing.T) {
	var alone, beside []arrival
	for _, f := range []sim.Fleet{testFleet(5), healthy(5)} {
		bubble.Test(t, func(t *testing.T) {
			b := start(t, newWorld(), f, 1, all(sim.ActConnect, 0), sim.Act{
				Kind: sim.ActOffline, At: sim.Duration(20 * time.Second), Over: sim.Duration(15 * time.Second),
				Select: &sim.Selection{Fleet: "meters", All: true},
			})
			time.Sleep(time.Minute - time.Nanosecond)
			b.finish()
			for o := range sim.Ordinal(5) {
				health := 0
				for _, a := range b.world.of(o, true) {
					switch {
					case a.stream == 1:
						health++
					case len(f.Skills) == 1:
						alone = append(alone, a)
					default:
						beside = append(beside, a)
					}
				}
				if len(f.Skills) > 1 && (health < 8 || health > 9) {
					t.Errorf("device %d told of its health %d times in a minute, every 7 s", o, health)
				}
			}
			s := b.ledger.Close(time.Minute, time.Second)
			total := uint64(0)
			for _, stream := range s.Streams {
				if stream.Due == 0 || stream.Due != stream.Sent || stream.Acked != stream.Sent {
					t.Errorf("%+v", stream)
				}
				total += stream.Due
			}
			if s.All.Due != total || len(s.Streams) != len(f.Skills) {
				t.Errorf("%d messages were due in all, %d in %d streams", s.All.Due, total, len(s.Streams))
			}
		})
	}
	if len(alone) != len(beside) {
		t.Fatalf("%d reports alone, %d beside health", len(alone), len(beside))
	}
	for i := range alone {
		if alone[i].due != beside[i].due || alone[i].hash != beside[i].hash || alone[i].seq != beside[i].seq {
			t.Errorf("report %+v became %+v", alone[i], beside[i])
		}
	}
}

func TestHealthIsSmall(t *testing.T) {
	if raceEnabled {
		t.Log("the race detector has a memory of its own")
		return
	}
	const count = 5000
	heap := func(f sim.Fleet) int64 {
		used := func() int64 {
			runtime.GC()
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return int64(m.HeapAlloc)
		}
		before := used()
		devices, book := workbenchOf(t, &sim.Plan{Fleets: []sim.Fleet{f}})
		for n := range 20 {
			for _, d := range devices {
				now := sim.Instant(n+1) * 10 * time.Second
				d.pursue(d.c.Program.current.Load(), now)
				d.conv.(*echo).at = d.T0.Add(now)
				for d.out.len() > 0 { // one at a time: echo answers the last
					q := d.out.next()
					d.publish(q)
					d.handle(d.conv.Wait(d.T0))
				}
			}
		}
		after := used()
		runtime.KeepAlive(devices)
		runtime.KeepAlive(book)
		return after - before
	}
	plain, more := heap(testFleet(count)), heap(healthy(count))
	each := (more - plain) / count
	t.Logf("a device takes %d bytes, with health %d more", plain/count, each)
	if each > 600 {
		t.Errorf("health takes %d bytes a device, more than 600", each)
	}
}
