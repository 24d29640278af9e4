package scenarios

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/myriad-iot/myriad/sim"
)

// What a request of CoAP can carry. The second number leaves room for the other options that a device sends.
const (
	longestSegment = 255 // bytes: RFC 7252 section 5.10
	mostSegments   = 28  // segments and parameters
)

// unsendable says why a path, with the names of the fleet's last device in it, does not fit into the options of a
// request; nil if it does. It is the rule for every path of a fleet: of reports, commands, answers and observations.
func unsendable(f *fleet, path string) error {
	parts := strings.FieldsFunc(longest(f, strings.TrimPrefix(path, "/")), func(r rune) bool { return strings.ContainsRune("/?&", r) })
	for _, p := range parts {
		if len(p) > longestSegment {
			return wrong("at most 255 bytes between two slashes (RFC 7252 section 5.10)", "a segment of the path %s is too long for CoAP: it has %d bytes", quote(path), len(p))
		}
		if !utf8.ValidString(p) {
			return wrong("write it in UTF-8", "the path %s is not text", quote(path))
		}
	}
	if len(parts) > mostSegments {
		return wrong("at most 28 segments", "the path %s has too many segments for CoAP", quote(path))
	}
	return nil
}

// checkPaths refuses what a fleet observes, or takes and answers commands on, if no request can say it.
func checkPaths(f *fleet) error {
	if !f.mqtt() {
		for _, path := range f.binding.CoAP.Observe {
			if err := unsendable(f, path); err != nil {
				return f.saidAt("observe").of(err)
			}
		}
	}
	if f.obeys != nil && f.obeysBy().Channel == sim.ChannelCoAP {
		for _, path := range []string{f.obeys.Listen, f.obeys.Topic} {
			if err := unsendable(f, path); err != nil {
				return f.saidAt("commands").of(err)
			}
		}
	}
	return nil
}

// of is err, at this place.
func (at place) of(err error) error {
	var m *mistake
	if errors.As(err, &m) {
		m.at = at
	}
	return err
}
