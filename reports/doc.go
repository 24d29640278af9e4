// Package reports turns what devices and probes observed into a judged result. It holds values
// only: it starts no goroutine and does no I/O; package render writes and draws.
//
// Three things come together in [Build]:
//
//   - The [Ledger] accounts for every message, exactly: which were due, sent, acknowledged, and
//     seen at the far end, as sets of sequence numbers. Loss, duplicates and order are computed
//     from it, never inferred from acknowledgements or from counters.
//   - A [Recorder] per shard counts samples; once a second a [Snapshot] carries the counts to the
//     [Fold], which adds them up in whatever order they come. It is the one recording path: every
//     latency, rate and error in a report comes from it.
//   - The [Input] says what else is known: events, phases, when acts began.
//
// Who calls what: an [Account] belongs to its device's goroutine; [Ledger.See] and the methods of
// [Recorder] may be called from any; Ledger.Close and Build come after the devices have stopped;
// a Fold is for one goroutine at a time.
//
// Units: instants are durations since T0, latencies are counted in microseconds up to an hour and
// reported in seconds. Response is done-due, service done-sent, lag sent-max(due, ready); they are
// never mixed. Samples that were due in the warm-up have no part in latencies, delivery or error
// shares; the ledger and the frames have them all.
package reports
