package main

import (
	"regexp"
	"strings"

	"github.com/myriad-iot/myriad/sim"
)

// secretName fits the names of --set whose values are secrets.
var secretName = regexp.MustCompile(`(?i)token|passw|pwd|secret|credential|^key|[_.-]key|key$|(^|[_.-])(pw|pin|psk)$`)

// secrets are the values of --set that nothing may show.
func (f *storyFlags) secrets() (list []string) {
	for _, kv := range f.set {
		if k, v, _ := strings.Cut(kv, "="); secretName.MatchString(k) && v != "" {
			list = append(list, v)
		}
	}
	return list
}

// concealedSet is all of --set as it may be shown.
func (f *storyFlags) concealedSet() (list []string) {
	for _, kv := range f.set {
		if k, _, _ := strings.Cut(kv, "="); secretName.MatchString(k) {
			kv = k + "=" + sim.Concealed
		}
		list = append(list, kv)
	}
	return list
}
