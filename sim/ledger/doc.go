// Package ledger counts what happens during a run, for devices, probes and workers. It holds values only: it
// starts no goroutine and does no I/O.
//
//   - The [Ledger] accounts for every message, exactly: which were due, sent, acknowledged, and seen at the
//     far end, as sets of sequence numbers. [Commands] is the same for what devices are told.
//   - A [Recorder] per shard counts samples; once a second a [Snapshot] carries the counts away.
//   - [Event], [PhaseSpan], [Settling] and [Takeover] say what happened on the timeline.
//
// Who calls what: an [Account] belongs to its device's goroutine; [Ledger.See] and the methods of [Recorder]
// may be called from any; [Ledger.Close] comes after the devices have stopped.
//
// Units: instants are durations since T0; latencies are counted in microseconds up to twelve days.
package ledger
