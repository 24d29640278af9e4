package backend

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/child"
	"github.com/myriad-iot/myriad/sim/host"
)

// Meter implements sim.Metered, by what the kernel says of the service's processes. One that is down uses nothing.
func (t *Target) Meter(ctx context.Context, name string, told func(sim.Use)) error {
	t.mu.Lock()
	i := slices.IndexFunc(t.services, func(s *service) bool { return s.name == name })
	var s *service
	if i >= 0 {
		s = t.services[i]
	}
	t.mu.Unlock()
	if s == nil {
		return fmt.Errorf("the embedded target has no service %q", name)
	}
	child.Each(ctx, time.Second, func(time.Time, time.Time) {
		if use, ok := s.use(); ok {
			told(use)
		}
	})
	return nil
}

// use is what the service's processes use together. It is false in the middle of a transition.
func (s *service) use() (u sim.Use, ok bool) {
	if !s.mu.TryLock() {
		return u, false
	}
	defer s.mu.Unlock()
	root := os.DirFS("/")
	for _, m := range s.members {
		if m.process == nil || !m.process.Alive() {
			continue
		}
		cpu, memory, known := host.Use(root, m.process.Pid())
		if !known {
			return u, false
		}
		u.CPU += sim.Duration(cpu)
		u.Memory += memory
	}
	return u, true
}
