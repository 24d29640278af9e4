package docker

import (
	"time"

	"github.com/myriad-iot/myriad/sim"
)

// Container is one service in a container: what runs, how it is configured, and what Myriad knows of it
// before it runs. A service always listens at the first of its schemes, and at those others that a
// plan needs.
type Container struct {
	Service sim.Service

	Image   string   // upstream's image without its tag
	Tag     string   // the tag that is taken if a story names no version
	Local   string   // the image that docker/build-local makes of this service's folder
	Command []string // the program with its arguments

	Flags func(s *Setup) []string // further arguments, which depend on the setup; nil: there are none

	// Files returns what must be in the container before it starts, by absolute path: the configuration,
	// and the certificate if the setup has one. It is an error if the service cannot be set up so.
	Files func(s *Setup) (map[string][]byte, error)

	Settings []Setting // what a story may set

	Data string // the folder that it keeps its data in, where its disk may be limited and filled; empty: it may not

	Saves Saves // how it is told to write its data, if they can be backed up while it runs

	Login   sim.Login     // whom the service wants to be named by those who say nothing of it
	Asks    bool          // it can ask a service over HTTP who may connect: [Setup.Auth]
	Joins   bool          // several of it form a cluster, which [Setup.Peers] are
	InTurn  bool          // of nodes of a cluster: each starts when the one before it is ready; else all at once
	Node    int           // in a cluster: which of the nodes it is, from 1; 0: it is none. See [Cluster]
	Private int           // how many ports the service needs for itself, beside its listeners
	Figures Figures       // how the service tells figures of itself; the zero value: it does not
	Slow    time.Duration // the longest that it may take to be ready; 0 is 30 s

	Version []string // a command that prints the version; it runs in the container
	Banner  string   // a regular expression for what it prints: the first group is the version

	Lacks []Lack
}

// Lack is how an image says that it was built without something: it ends at once, and its log says so.
type Lack struct {
	Says    string       // a part of its log
	Schemes []sim.Scheme // that it cannot serve
}

// slowStart is the limit for brokers that run on Erlang: 10 to 20 s where little else runs, longer where much does.
const slowStart = 2 * time.Minute

// Loopback is where a service listens that shares this machine's network: it asks nobody for a password.
const Loopback = "127.0.0.1"

// Saves says how a service is told to write its data, which it then does to a file in [Container.Data] at once, or not at
// all. The zero value: it cannot be told.
type Saves struct {
	Signal string
	File   string
}

// Setup is what a service must be configured for.
type Setup struct {
	Bind        string // the address to listen on: Loopback, or all of the container's
	Listeners   []Listener
	Private     []int         // TCP ports that nobody else has, as many as [Container.Private]
	Figures     int           // the TCP port to tell figures at, if [Container.Figures] wants one; 0: nobody asks for them
	Certificate Certificate   // of the secured listeners
	Settings    []sim.Setting // each is one of [Container.Settings], at most one of a name
	Auth        string        // the URL of the service to ask who may connect, as "http://127.0.0.1:8000"; "": nobody is asked
	Login       sim.Login     // who Myriad itself is, if it is to be let in where the settings say who is

	Scrapes []Scrape // what [Prometheus] is to read

	// Of clusters.
	Peers  []Peer // all nodes in their order, also for the balancer before them; none: there is no cluster
	Self   int    // which of them this is, from 1; 0: none of them
	Cookie string // a secret that the nodes share, of letters and digits
}

// Peer is a node of a cluster, as others in its network see it.
type Peer struct {
	Host      string // its name there
	Address   string // its IP address there, which stays the same through all that is done to it
	Listeners []Listener
}

// Listener is one port that a service listens on. It is TCP.
type Listener struct {
	Scheme sim.Scheme
	Port   int
}

// Certificate is what a secured service shows, and whom it trusts, all in PEM.
type Certificate struct {
	CA, Certificate, Key []byte
	Mutual               bool // clients must show a certificate that CA has signed
}

// Complete reports whether c has all that a secured listener needs.
func (c *Certificate) Complete() bool {
	return len(c.CA) > 0 && len(c.Certificate) > 0 && len(c.Key) > 0
}
