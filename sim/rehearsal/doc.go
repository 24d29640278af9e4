// Package rehearsal runs stories: it starts the target, the probe and the workers, runs the timeline of a
// story, and makes and judges its result.
//
// [Run] rehearses a suite and blocks until it is over; it owns every goroutine and every process that it
// starts. [Join] is a worker's side on another machine, [Child] the side of the processes on this one.
package rehearsal
