package child

// Nice values for [LowerPriority]. When all of them want the cores, a process with nice 0 gets about three times the
// time of one that gives way, and ten times that of one that is behind (sched(7)). While cores are idle they change
// nothing.
const (
	// GiveWay is for processes of devices on a machine where more of them run than it has cores. What needs little but
	// needs it in time goes first: the coordinator, which has to hear all of them, the probe, whose delay would look
	// like the target's, and the target, which we must not starve. The devices feed the others with work, so they get
	// what is left, and their lag tells when that is too little.
	GiveWay = 5
	Behind  = 10 // for processes whose devices leave: nothing that they do is measured any more
)
