package scenarios

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/myriad-iot/myriad/docker"
	"github.com/myriad-iot/myriad/scenarios/input"
	"github.com/myriad-iot/myriad/scenarios/targets"
	"github.com/myriad-iot/myriad/scenarios/words"
	"github.com/myriad-iot/myriad/sim"
)

// minMemory is the least that Docker takes as a limit of memory.
const minMemory = 6 << 20

// minDisk is the least that brokers start with.
const minDisk = 16_000_000

// settingSteps are T6 and T7: how a service in a container is configured, and what it may use.
func settingSteps() []Step {
	const doc = "Each row is a line of the broker's own configuration; a wrong name is answered with those that there are. " +
		"Mosquitto's password_file and acl_file are files of the story: a line name:password is hashed if it is not, who gives a password_file lets in nobody else, and Myriad itself is let in by a user that it adds."
	return []Step{
		{ID: "T7", Keyword: Given, Expression: `a {broker} broker with:`, Table: Required,
			Doc:     "Starts the broker in a container, configured so. " + doc,
			Example: `a mosquitto broker with:`,
			Sample:  settingSample,
			compile: func(c *compiler, a *args) error { return c.brokerWith(a, "") }},
		{ID: "T7", Keyword: Given, Expression: `a {broker} broker version {string} with:`, Table: Required,
			Doc:     "The same for a version of the broker, which is a tag of its image.",
			Example: `a mosquitto broker version "2.0.22" with:`,
			Sample:  settingSample,
			compile: func(c *compiler, a *args) error {
				if a.str(1) == "" {
					return wrong(`write for example "2.0.22"`, "the version is empty")
				}
				return c.brokerWith(a, a.str(1))
			}},
		{ID: "T6", Keyword: Given, Expression: `the limits of {string}:`, Table: Required,
			Doc: "What a service in a container may use of this machine at most: a share of one processor (200% is two), memory, without swap, and disk. " +
				"A service that takes more memory is ended by the kernel. A disk with a limit is in memory, counts in the service's, and is empty when the service was ended, " +
				"so it must not be ended; Mosquitto and RabbitMQ only.",
			Example: `the limits of "broker":`,
			Sample: "| cpu | memory | disk   |\n" +
				"| 50% | 512 MB | 128 MB |",
			compile: serviceLimits},
	}
}

const settingSample = "| setting             | value |\n" +
	"| max_queued_messages | 100   |"

// brokerWith sets the target to a broker in a container with the settings of a table.
func (c *compiler) brokerWith(a *args, version string) error {
	t := inContainer(a.str(0), version)
	if err := c.configured(&t, a); err != nil {
		return err
	}
	return c.setTarget(t)
}

// configured gives a target in containers the settings of a table.
func (c *compiler) configured(t *sim.TargetSpec, a *args) error {
	recs, err := a.table.records([]string{"setting", "value"}, nil)
	if err != nil {
		return err
	}
	e, _ := targets.Find(t.Name)
	what := &e.Containers[0]
	var names []string
	for i := range what.Settings {
		names = append(names, what.Settings[i].Name)
	}
	for i := range recs {
		name, value := recs[i].get("setting"), recs[i].get("value")
		at := recs[i].cells["setting"].at
		switch s := what.FindSetting(name); {
		case s == nil:
			return wrongAt(at, known(name, "setting", names), "%s has no setting %q that a story may write", t.Name, name)
		case slices.ContainsFunc(t.Settings, func(s sim.Setting) bool { return s.Name == name }):
			return wrongAt(at, "write one of them", "%q is there twice", name)
		case !s.Value.MatchString(value):
			return wrongAt(recs[i].cells["value"].at, "write for example "+s.Example, "%q is not a value of %s", value, name)
		}
		one := sim.Setting{Name: name, Value: value}
		if of := what.FindSetting(name); of.File {
			if err := c.fileOf(&one, of.Secret); err != nil {
				if m, is := err.(*mistake); is {
					m.at = recs[i].cells["value"].at
				}
				return err
			}
		}
		t.Settings = append(t.Settings, one)
	}
	return nil
}

// largestFile is how large a file may be that a setting names: a million users, with their passwords hashed.
const largestFile = 200 << 20

// fileOf reads the file that a setting names. Nothing shows its text, which may be passwords.
func (c *compiler) fileOf(s *sim.Setting, secret bool) error {
	at, err := c.folder.find(s.Value)
	if err != nil {
		return err
	}
	defer at.Close()
	text, err := input.Read(at.fsys, at.base, largestFile)
	if err != nil {
		return missing(at.shown, err)
	}
	if bytes.Contains(text, []byte(docker.OwnUser)) {
		return wrong("leave that user out: Myriad adds it", "the file %q names %s, who is Myriad itself", at.shown, docker.OwnUser)
	}
	s.File = sim.ParseSecret("file:" + s.Value).With(string(text))
	if !secret { // by the digest of a file with passwords they could be tried one after the other
		sum := sha256.Sum256(text)
		s.Sum = hex.EncodeToString(sum[:])
	}
	return nil
}

func serviceLimits(c *compiler, a *args) error {
	name := a.str(0)
	if targets.Called(name) == nil {
		return wrong(known(name, "service", targets.ServiceNames()), "unknown service %q", name)
	}
	recs, err := a.table.records(nil, []string{"cpu", "memory", "disk"})
	if err != nil {
		return err
	}
	if len(recs) > 1 {
		return wrongAt(recs[1].at, "write one row", "a service has one row of limits")
	}
	if slices.ContainsFunc(c.limits, func(l sim.Limit) bool { return l.Service == name }) {
		return wrong("write one table", "%q has limits already", name)
	}
	l := sim.Limit{Service: name}
	if v, ok, err := recs[0].parse("cpu", string(words.CPU)); err != nil {
		return err
	} else if ok {
		if l.CPU = v.(float64); l.CPU < 0.01 {
			return wrongAt(recs[0].cells["cpu"].at, "write at least 1%", "a service cannot run with so little of a processor")
		}
	}
	if v, ok, err := recs[0].parse("memory", string(words.Size)); err != nil {
		return err
	} else if ok {
		if l.Memory = v.(int64); l.Memory < minMemory {
			return wrongAt(recs[0].cells["memory"].at, "write at least 6 MiB", "Docker gives a container no less memory than that")
		}
	}
	if v, ok, err := recs[0].parse("disk", string(words.Size)); err != nil {
		return err
	} else if ok {
		at := recs[0].cells["disk"].at
		switch l.Disk = v.(int64); {
		case l.Disk < minDisk:
			return wrongAt(at, "write at least 16 MB", "a service cannot run with so little of a disk")
		case l.Memory > 0 && l.Disk > l.Memory/2:
			return wrongAt(at, "write at most half of its memory", "a disk with a limit is in the memory of its service, which has no room for it")
		}
	}
	if l.CPU == 0 && l.Memory == 0 && l.Disk == 0 {
		return wrongAt(recs[0].at, "write cpu, memory or disk, or some of them", "the limits of %q limit nothing", name)
	}
	c.limits = append(c.limits, l)
	return nil
}

// configure gives the target what the story says of its services, and says what of that cannot be had there.
func (c *compiler) configure(t *sim.TargetSpec) {
	own := &c.plan.Target // of the story; --target may have taken its place
	if t.Kind == sim.TargetContainer && t.Name == own.Name {
		t.Settings = own.Settings
		if t.Version == "" {
			t.Version = own.Version
		}
	} else if len(own.Settings) > 0 {
		c.cannot("the story sets %s of %s, and the target is %s", own.Settings[0].Name, own.Name, named(t))
	}
	for _, l := range c.limits {
		switch {
		case t.Kind != sim.TargetContainer:
			c.cannot("the story limits what %q may use, which only a target in containers can: %s cannot", l.Service, named(t))
		case targets.Named(&sim.TargetSpec{Kind: t.Kind, Name: t.Name, Nodes: t.Nodes}, l.Service) == nil:
			c.cannot("the target %q has no service %q in a container", t.Name, l.Service)
		case targets.Named(t, l.Service).Nodes > 0:
			c.cannot("%s", apart(targets.Named(t, l.Service)))
		case l.Disk > 0 && !targets.Named(t, l.Service).Bears([]sim.Power{sim.PowerFill}):
			c.cannot("the disk of %q has no limit in the target %s", l.Service, named(t))
		default:
			t.Limits = append(t.Limits, l)
		}
	}
}

// ownLogin is who Myriad itself is to a broker whose settings say who is let in: somebody who may do everything.
func ownLogin() sim.Login {
	return sim.Login{Username: docker.OwnUser, Password: sim.NewSecret(rand.Text())}
}

// named is how messages call a target.
func named(t *sim.TargetSpec) string {
	switch {
	case t.Name != "":
		return fmt.Sprintf("%q", t.Name)
	case t.Kind == sim.TargetEmbedded:
		return `"embedded"`
	}
	return "yours"
}
