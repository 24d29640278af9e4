// Package fleet runs one worker's devices through a plan's timeline. [Worker.Run] blocks, owns
// every goroutine it starts, one per device and one per fault that is under way, and returns after
// they have ended.
//
// The worker talks to devices through their fleet's program only: when a segment of the timeline
// begins, all its acts get their instants, the programs grow, and the devices are poked. Between
// two "everything is settled" there is no other talk.
package fleet
