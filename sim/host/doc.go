// Package host says how many devices this machine carries, and how to raise limits that are too low.
//
// [Read] reads a machine's limits from /proc and /sys; [FreePorts] tries ports. Everything else is
// arithmetic on [Limits].
// It is hand-made because libraries that describe hosts (gopsutil and its like) say what is used,
// not what a fleet of sockets would hit: descriptors per process, source ports, conntrack.
package host
