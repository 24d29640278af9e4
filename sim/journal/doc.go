// Package journal sends what a child process saw to its parent, as records of fixed size in a pipe.
//
// A [Writer] writes them in the child: the messages that a service accepts, each in the pipe before
// it is acknowledged (write-ahead), or what a subscriber received, gathered for a moment. [Read] turns
// them into [sim.Sighting]s in the parent. What was written is read even if the child is killed, because the
// pipe keeps it.
//
// Instants. A record has the wall clock of the child, in nanoseconds since 1970; the parent carries it
// over to the run's clock by comparing its own two clocks when it reads the record. On one machine
// that is exact to about a microsecond as long as nobody sets the wall clock between the record and
// its reading (a few milliseconds; more when a process is starved of CPU); a step in that time shows
// in full. A wall clock that is slewed adds 0.5 ns per microsecond between the two.
//
// Read blocks and starts no goroutine. A Writer that gathers has a timer while it holds something.
package journal
