// Package device lives one device's life: power on, connect, report, lose the link, come back,
// power off. A device is one goroutine, and the read deadline is its clock: it blocks in
// [sim.Conversation.Wait] until the next thing it has to do is due, and whoever wants it earlier
// changes its [Program] and calls [Device.Poke]. Only its calls run elsewhere while it waits for them, on
// goroutines whose stacks have grown for that already.
//
// Everything a device does follows from (seed, fleet, ordinal) and the program: the instants of
// its reports, their values, its reconnect delays. What the target does to it is reported as
// samples, link changes and ledger entries, never as a Go error.
package device
