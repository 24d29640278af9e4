// Package reports turns what devices and probes observed into a result. It works on values in memory only:
// it starts no goroutine and does no I/O. Package judge compares the claims of a story with the result;
// package render writes and draws it.
//
// Three things come together in [Build]:
//
//   - The [ledger.Settlement] is the closed account of every message. Loss, duplicates and order are
//     computed from it, never inferred from acknowledgements or from counters.
//   - The [Fold] adds up the snapshots of all recorders, in whatever order they come. It is the one
//     recording path: every latency, rate and error in a report comes from it.
//   - The [Input] says what else is known: events, phases, when acts began.
//
// Build comes after the devices have stopped; a Fold is for one goroutine at a time.
//
// Units: instants are durations since T0, latencies are counted in microseconds up to twelve days and
// reported in seconds. Response is done-due, service done-sent, lag sent-max(due, ready); they are
// never mixed. Samples that were due in the warm-up have no part in latencies, delivery or error
// shares; the ledger and the frames have them all.
package reports
