package fleet

import (
	"context"
	"sync"
)

// Solo is a timeline and all devices of its plan in one process, without a message bus. Stories and
// tests in virtual time use it, for no bus can run there.
type Solo struct {
	Timeline
	Devices Crew // its Plan and T0 are the timeline's
}

// Prepare makes the devices. It must be called once, before Run and Act. Its error is that of [Crew.Prepare].
func (s *Solo) Prepare() error {
	s.Devices.Plan, s.Crew = s.Plan, &s.Devices
	return s.Devices.Prepare()
}

// Run runs the plan and returns when the timeline and all devices have ended. Its error is that of
// [Timeline.Run].
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
