package auth

import (
	"slices"
	"strings"

	"github.com/myriad-iot/myriad/sim"
)

// Group is devices of a fleet, or one client, that may log in. It goes to the process of the service, by a pipe.
type Group struct {
	Fleet    string `json:"fleet,omitempty"` // for {fleet}
	Count    int    `json:"count"`           // devices of the fleet, 1 or more
	Username string `json:"username"`        // may have {id} and {fleet}
	Password string `json:"password"`        // likewise
}

// GroupsOf are those who may connect in a run of a plan: all devices that say who they are and are no strangers, and Myriad
// itself. Copies have the name and the password of those that they copy.
func GroupsOf(p *sim.Plan) []Group {
	var list []Group
	if l := &p.Target.Login; l.Username != "" {
		list = append(list, Group{Count: 1, Username: l.Username, Password: l.Password.Reveal()})
	}
	for i := range p.Fleets {
		f := &p.Fleets[i]
		by := f.Over(sim.ChannelMQTT)
		if by == nil || f.Copies != nil || by.Security.Username == "" || slices.Contains(p.Target.Strangers, f.Name) {
			continue
		}
		list = append(list, Group{Fleet: f.Name, Count: f.Count, Username: by.Security.Username, Password: by.Security.Password.Reveal()})
	}
	return list
}

// Users are all who may log in, by their names. The zero value is nobody.
type Users struct {
	groups []Group
	named  map[string][]user // several fleets may share a name
}

type user struct {
	group  int32
	device sim.Ordinal
}

// NewUsers makes the table of all devices of groups.
func NewUsers(groups []Group) *Users {
	u := &Users{groups: groups, named: make(map[string][]user)}
	for i := range groups {
		g, n := &groups[i], groups[i].Count
		if !strings.Contains(g.Username+g.Password, "{id}") {
			n = 1 // all of them are one user
		}
		f := sim.Fleet{Name: g.Fleet}
		for o := range sim.Ordinal(n) {
			name := f.Expand(g.Username, o)
			u.named[name] = append(u.named[name], user{int32(i), o})
		}
	}
	return u
}

// Has reports whether there is a user of that name.
func (u *Users) Has(name string) bool { return len(u.named[name]) > 0 }

// Admits reports whether somebody of that name and password may log in.
func (u *Users) Admits(name, password string) bool {
	for _, one := range u.named[name] {
		g := &u.groups[one.group]
		f := sim.Fleet{Name: g.Fleet}
		if f.Expand(g.Password, one.device) == password {
			return true
		}
	}
	return false
}
