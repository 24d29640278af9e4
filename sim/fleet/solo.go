package fleet

import (
	"context"
	"sync"
)

// Solo is a timeline and all the devices of its plan in one process, without anything in between: for
// virtual time, in which no bus runs.
type Solo struct {
	Timeline
	Devices Crew // its Plan and T0 are the timeline's
}

// Prepare makes the devices and must be called once, before Run and Act.
func (s *Solo) Prepare() error {
	s.Devices.Plan, s.Crew = s.Plan, &s.Devices
	return s.Devices.Prepare()
}

// Run runs the plan. It returns when the devices have gone.
func (s *Solo) Run(ctx context.Context) error {
	s.Devices.T0 = s.T0
	hard, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var devices sync.WaitGroup
	devices.Go(func() { s.Devices.Run(hard) })
	err := s.Timeline.Run(ctx)
	devices.Wait()
	return err
}
