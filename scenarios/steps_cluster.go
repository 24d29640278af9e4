package scenarios

import (
	"fmt"

	"github.com/myriad-iot/myriad/docker"
	"github.com/myriad-iot/myriad/scenarios/targets"
	"github.com/myriad-iot/myriad/sim"
)

// clusterSteps are T3: brokers that are one.
func clusterSteps() []Step {
	return []Step{
		{ID: "T3", Keyword: Given, Expression: `a cluster of {count} {broker} brokers behind a load balancer`,
			Doc: "Starts the brokers in containers as nodes of one cluster, and HAProxy before them, which devices connect to. " +
				`The nodes are the services "broker 1", "broker 2" and so on, and "balancer" is one too.`,
			Example: `a cluster of 3 rabbitmq brokers behind a load balancer`,
			compile: func(c *compiler, a *args) error {
				t, err := clusterOf(a)
				if err != nil {
					return err
				}
				return c.setTarget(t)
			}},
		{ID: "T3", Keyword: Given, Expression: `a cluster of {count} {broker} brokers behind a load balancer with:`, Table: Required,
			Doc:     "The same, each node configured so.",
			Example: `a cluster of 3 rabbitmq brokers behind a load balancer with:`,
			Sample: "| setting                 | value  |\n" +
				"| mqtt.durable_queue_type | quorum |",
			compile: func(c *compiler, a *args) error {
				t, err := clusterOf(a)
				if err == nil {
					err = c.configured(&t, a)
				}
				if err != nil {
					return err
				}
				return c.setTarget(t)
			}},
	}
}

func clusterOf(a *args) (sim.TargetSpec, error) {
	t := inContainer(a.str(1), "")
	n := a.count(0)
	if e, _ := targets.Find(t.Name); !e.Containers[0].Joins {
		return t, wrong("write "+list(targets.Clusters(), "or"), "%s brokers form no cluster here", t.Name)
	}
	if n < docker.MinNodes || n > docker.MaxNodes {
		return t, wrong(fmt.Sprintf("write %d to %d, best 3 or 5: a cluster goes on with more than half of its nodes", docker.MinNodes, docker.MaxNodes),
			"a cluster of %d brokers", n)
	}
	t.Nodes = n
	return t, nil
}

// nodeSteps are X6: a node of a cluster goes and comes back. What else can be done to services can be done to nodes.
func nodeSteps() []Step {
	return []Step{
		{ID: "X6", Keyword: When, Expression: `broker node {count} is lost`,
			Doc:     "The node of a cluster dies at once, nothing is flushed, and stays away until it rejoins, or to the end.",
			Example: `broker node 2 is lost`,
			compile: func(c *compiler, a *args) error {
				name, err := c.node(a.count(0))
				if err == nil && c.lostNodes[name] {
					err = wrong("write that it rejoins first", "%q is lost already", name)
				}
				if err != nil {
					return err
				}
				if err := c.strike("lose", name, 0, nil); err != nil {
					return err
				}
				if c.lostNodes == nil {
					c.lostNodes = make(map[string]bool)
				}
				c.lostNodes[name] = true
				return nil
			}},
		{ID: "X6", Keyword: When, Expression: `broker node {count} rejoins`,
			Doc:     "The node that was lost starts again, with what it had on its disk. It is back when a message goes through it.",
			Example: `broker node 2 rejoins`,
			compile: func(c *compiler, a *args) error {
				name, err := c.node(a.count(0))
				if err == nil && !c.lostNodes[name] {
					err = wrong(fmt.Sprintf("write broker node %d is lost before it", a.count(0)), "%q is not lost", name)
				}
				if err != nil {
					return err
				}
				delete(c.lostNodes, name)
				return c.strike("rejoin", name, 0, nil)
			}},
		{ID: "X6", Keyword: When, Expression: `broker node {count} is cut off for {duration}( meanwhile)`,
			Doc:     "For that long the node of a cluster has no network, as with its cable pulled: it goes on by itself, and neither it, nor the other nodes, nor the balancer is told. What it makes of that is what the story is about.",
			Example: `broker node 2 is cut off for 20s`,
			compile: func(c *compiler, a *args) error {
				if err := positive(a.duration(1)); err != nil {
					return err
				}
				name, err := c.node(a.count(0))
				if err != nil {
					return err
				}
				return c.strike("isolate", name, a.duration(1), nil)
			}},
		{ID: "X6", Keyword: When, Expression: `{string} is cut off for {duration}( meanwhile)`,
			Doc:     "The same by its name as a service.",
			Example: `"broker 2" is cut off for 20s`,
			compile: func(c *compiler, a *args) error { return c.strikeFor("isolate", a) }},
	}
}

// node is the name of the i-th node of the story's cluster. A target that is none is for [compiler.strike] to tell.
func (c *compiler) node(i int) (string, error) {
	t := c.target()
	if i < 1 || i > docker.MaxNodes || t.Nodes > 0 && i > t.Nodes {
		return "", wrong(fmt.Sprintf("write 1 to %d", max(t.Nodes, docker.MinNodes)), "there is no broker node %d", i)
	}
	return docker.NodeName(brokerName, i), nil
}

// apart says why nothing can be asked of a cluster as a whole, or done to it.
func apart(s *sim.Service) string {
	return fmt.Sprintf("%q is a cluster here: name one of its %d nodes, as in %q", s.Name, s.Nodes, docker.NodeName(s.Name, 1))
}
