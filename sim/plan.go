package sim

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
)

// PlanSchema is the version of the Plan's JSON form.
const PlanSchema = 1

// Plan is a compiled story, complete before anything starts. It is pure data: with two equal plans the same
// devices do the same things at the same instants.
type Plan struct {
	Schema    int        `json:"schema"`
	Story     Story      `json:"story"`
	Seed      uint64     `json:"seed"`
	Target    TargetSpec `json:"target"`
	WarmUp    Duration   `json:"warm_up,omitempty"` // samples due before it are not measured
	Fleets    []Fleet    `json:"fleets"`
	Acts      []Act      `json:"acts"`
	Guards    []Check    `json:"guards,omitempty"` // "throughout the run ..."
	Checks    []Check    `json:"checks,omitempty"`
	StopEarly *StopEarly `json:"stop_early,omitempty"`
	Search    *Search    `json:"search,omitempty"`  // nil: what the target carries is not looked for
	Paced     *Paced     `json:"paced,omitempty"`   // nil: it is as its story says
	Watched   bool       `json:"watched,omitempty"` // Prometheus in a container reads the run's figures
}

// Story says where a plan came from.
type Story struct {
	Feature string   `json:"feature,omitempty"`
	Name    string   `json:"name"`
	URI     string   `json:"uri"`
	Line    int      `json:"line"`
	Tags    []string `json:"tags,omitempty"`
	Givens  []string `json:"givens,omitempty"` // what it declares, in its words; a table follows its sentence, a row a line
}

// StopEarly ends a run when at least Share of the publishes have failed for the time For: going on would cost
// time and show nothing new.
type StopEarly struct {
	Share  float64  `json:"share"` // 0..1
	For    Duration `json:"for"`
	Origin string   `json:"origin"`
	Text   string   `json:"text"`
}

// Hash is the hex SHA-256 of the plan's JSON form without the places where it was written: two runs
// can be compared only if it is equal, and it does not matter where the story's file lies.
func (p *Plan) Hash() string {
	b, err := json.Marshal(p.placeless())
	if err != nil {
		return "" // a Plan has no value that JSON refuses; NaN is refused when a story is compiled
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// placeless is p without file names and lines.
func (p *Plan) placeless() *Plan {
	c := *p
	c.Story.URI, c.Story.Line, c.Story.Givens, c.Target.Origin = "", 0, nil, ""
	c.Fleets, c.Acts = slices.Clone(p.Fleets), slices.Clone(p.Acts)
	c.Guards, c.Checks = slices.Clone(p.Guards), slices.Clone(p.Checks)
	for i := range c.Fleets {
		c.Fleets[i].Origin = ""
	}
	for i := range c.Acts {
		c.Acts[i].Origin = ""
	}
	for _, list := range [][]Check{c.Guards, c.Checks} {
		for i := range list {
			list[i].Origin = ""
		}
	}
	if p.StopEarly != nil {
		stop := *p.StopEarly
		stop.Origin = ""
		c.StopEarly = &stop
	}
	if p.Search != nil {
		search := *p.Search
		search.Origin, search.Objectives = "", slices.Clone(search.Objectives)
		for i := range search.Objectives {
			search.Objectives[i].Origin = ""
		}
		c.Search = &search
	}
	return &c
}

// FleetIndex returns the index of the named fleet, or -1.
func (p *Plan) FleetIndex(name string) int {
	for i := range p.Fleets {
		if p.Fleets[i].Name == name {
			return i
		}
	}
	return -1
}

// Before is the number of devices in the fleets before one.
func (p *Plan) Before(fleet int) int {
	n := 0
	for i := range p.Fleets[:fleet] {
		n += p.Fleets[i].Count
	}
	return n
}

// Devices is the number of devices in all fleets.
func (p *Plan) Devices() int {
	return p.Before(len(p.Fleets))
}

// Duration is how long the timeline takes if every "settled within" uses all its time.
func (p *Plan) Duration() Duration {
	var d Duration
	for i := range p.Acts {
		d += p.Acts[i].Hold
	}
	return d
}

// EmbeddedServes reports whether Myriad's own services are the far end of a channel.
func (t *TargetSpec) EmbeddedServes(c Channel) bool {
	return t.Kind == TargetEmbedded || slices.Contains(t.Embedded, c)
}

// TargetKind says who owns the system under test.
type TargetKind string

// The kinds of target.
const (
	TargetEmbedded  TargetKind = "embedded"  // Myriad's own broker and CoAP server
	TargetContainer TargetKind = "container" // started and removed by Myriad
	TargetExternal  TargetKind = "external"  // yours; only dialled
	TargetVirtual   TargetKind = "virtual"   // Myriad's own services in virtual time, see sim/virtual
)

// TargetSpec names the system under test. Endpoints are filled for external targets and for
// profiles; the others learn theirs when they start.
type TargetSpec struct {
	Kind      TargetKind `json:"kind"`
	Name      string     `json:"name,omitempty"`    // container: "mosquitto"
	Version   string     `json:"version,omitempty"` // container: image tag, empty for the pinned one
	Nodes     int        `json:"nodes,omitempty"`   // container: its first service is a cluster of so many behind a balancer; 0: one alone
	Endpoints Endpoints  `json:"endpoints,omitempty"`
	Embedded  []Channel  `json:"embedded,omitempty"`  // channels that Myriad's own services serve beside it
	Login     Login      `json:"login,omitzero"`      // who Myriad itself is to the brokers: health check, probe and operator
	Settings  []Setting  `json:"settings,omitempty"`  // container: of its first service, at most one of a name
	Limits    []Limit    `json:"limits,omitempty"`    // container: at most one of a service
	Auth      bool       `json:"auth,omitempty"`      // container: its broker asks [AuthService] who may connect
	Strangers []string   `json:"strangers,omitempty"` // fleets that it does not know, and refuses
	Hook      string     `json:"hook,omitempty"`      // external: the user's command that breaks its services; empty: nobody can
	Origin    string     `json:"origin,omitempty"`
}

// Setting is a line of a service's own configuration.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`         // of one with a file: its path, as the story has it
	File  Secret `json:"file,omitzero"` // what the file holds, which may be passwords; only who compiled the plan has the text
	Sum   string `json:"sum,omitempty"` // SHA-256 of the file in hex, unless it holds passwords: so another file is another plan
}

// Limit is what a service may use of this machine at most; 0 is as much as there is.
type Limit struct {
	Service string  `json:"service"`
	CPU     float64 `json:"cpu,omitempty"`    // processors: 0.5 is half of one
	Memory  int64   `json:"memory,omitempty"` // bytes; there is no swap beside it
	Disk    int64   `json:"disk,omitempty"`   // bytes for its data; they are in memory then, and gone when it ends
}

// Connects reports whether any act of the plan connects devices of a fleet.
func (p *Plan) Connects(fleet string) bool {
	return slices.ContainsFunc(p.Acts, func(a Act) bool { return a.Kind == ActConnect && a.Select.Fleet == fleet })
}
