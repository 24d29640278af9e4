package rehearsal

import (
	"context"
	"errors"
	"fmt"

	"github.com/myriad-iot/myriad/sim/ledger"
)

// certain says why the run can only be invalid, whatever comes: something failed by this machine's fault. "" is that
// it may still be valid. The reasons are among those that judge the whole run, so nothing is lost by ending it.
func (s *rehearsed) certain() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.fold.Errors() {
		if e.Outcome.Local() {
			return fmt.Sprintf("this machine is the limit: %s", e.Outcome)
		}
	}
	return ""
}

// givingUp returns what ends the run once, and tells why.
func (s *rehearsed) givingUp(stop context.CancelCauseFunc) func(why string) {
	return func(why string) {
		text := "the run ended early, for it could only be invalid: " + why
		s.mu.Lock()
		first := s.stopped == ""
		if first {
			s.stopped = text
		}
		s.mu.Unlock()
		if first {
			s.event(ledger.Event{At: s.timeline.Now(), Kind: ledger.EventInterrupted, Act: ledger.NoAct, Text: text})
			stop(errors.New(text))
		}
	}
}
