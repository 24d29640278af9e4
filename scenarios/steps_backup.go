package scenarios

import (
	"fmt"
	"maps"
	"slices"

	"github.com/myriad-iot/myriad/sim/fault"
)

// backupSteps are X9: a service goes back to what it knew earlier.
func backupSteps() []Step {
	return []Step{
		{ID: "X9", Keyword: When, Expression: `{string} is backed up as {string}`,
			Doc:     "Keeps a copy of the service's data under that name, as an administrator does while it runs: it is told to write what it holds, and that is copied. The run is not disturbed. Mosquitto in a container only.",
			Example: `"broker" is backed up as "noon"`,
			compile: func(c *compiler, a *args) error { return c.backUp(a.str(0), a.str(1)) }},
		{ID: "X9", Keyword: When, Expression: `{string} is restored from backup {string}`,
			Doc:     "Stops the service in an orderly way, gives it the data of the backup instead of its own, and starts it again. Sessions, kept and waiting messages are those of the backup: what came after it is gone, and what has been taken since comes again.",
			Example: `"broker" is restored from backup "noon"`,
			compile: func(c *compiler, a *args) error { return c.restore(a.str(0), a.str(1)) }},
	}
}

func (c *compiler) backUp(service, name string) error {
	switch {
	case name == "":
		return wrong(`write a name, as in "noon"`, "the backup has no name")
	case c.backups[service][name]:
		return wrong("give each its name", "%q has a backup %q already", service, name)
	}
	for _, s := range c.target().Settings {
		if s.Name == "persistence" && s.Value == "false" {
			return wrong("leave that setting out", "%q writes no data: its setting persistence is false", service)
		}
	}
	if c.backups == nil {
		c.backups = make(map[string]map[string]bool)
	}
	if c.backups[service] == nil {
		c.backups[service] = make(map[string]bool)
	}
	c.backups[service][name] = true
	return c.strike("back-up", service, 0, map[string]string{fault.ArgBackup: name})
}

func (c *compiler) restore(service, name string) error {
	if made := c.backups[service]; !made[name] {
		hint := fmt.Sprintf("write `When %q is backed up as %q` before it", service, name)
		if len(made) > 0 {
			hint = known(name, "backup", slices.Sorted(maps.Keys(made)))
		}
		return wrong(hint, "%q has no backup %q at this point", service, name)
	}
	return c.strike("restore", service, 0, map[string]string{fault.ArgBackup: name})
}
