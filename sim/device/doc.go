// Package device runs one virtual device from power on to the end of the run: it connects, reports, loses
// its connection, connects again, loses power. A device is one goroutine, and its timer is the read
// deadline of its socket: it blocks in [sim.Conversation.Wait] until its next action is due. To change what
// it does, change its [Program] and call [Device.Poke]. Only connecting happens on another goroutine, which
// several devices share one after the other, because connecting needs a larger stack than everything else.
//
// Everything that a device does follows from (seed, fleet, ordinal) and the program: the instants of its
// reports, their values, its reconnect delays. What the target does is recorded as samples, link changes
// and ledger entries, never as a Go error.
package device
