package sim

// Site is where a fault acts.
type Site string

// The sites of today's faults. Others (packet, message, clock, identity, storage) come with the first fault
// of each.
const (
	SiteService Site = "service" // a service of the target: what is done to it goes through its [Handle]
	SitePower   Site = "power"   // the power of devices
	SiteLink    Site = "link"    // the network between devices and the target
)

// Fault is something that a story breaks on purpose, as data: what Verb means is one file of package
// sim/fault, which also says what else of a Fault it reads. Its act selects the devices, where the site is
// theirs.
type Fault struct {
	Site Site              `json:"site"`
	Name string            `json:"name,omitempty"` // of the service: "broker"
	Verb string            `json:"verb"`           // "kill"
	Args map[string]string `json:"args,omitempty"` // of the verb, if it has any
	For  Duration          `json:"for,omitempty"`  // how long it lasts; 0 is as short as it can be
}
