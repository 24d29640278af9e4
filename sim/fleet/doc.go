// Package fleet runs the devices of a plan, and the timeline that commands them. A [Timeline] performs the
// plan's acts; a [Crew] runs the devices of one shard, in the same process ([Solo]) or in another one. Both
// have a Run that blocks, owns every goroutine that was started for it (one for each device; one for each
// fault or command that is under way), and returns after all of them have ended.
//
// A timeline tells devices only an [Order]. When a segment of the timeline begins, the order says when; from
// that a crew computes the instants of all acts of the segment, adds them to the programs of the fleets, and
// pokes the devices. Nothing else is sent to the devices between two "everything is settled" steps.
package fleet
