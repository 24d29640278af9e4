package profiles

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/myriad-iot/myriad/scenarios/words"
	"github.com/myriad-iot/myriad/sim"
)

// positive reads a duration above 0.
func positive(text string) (sim.Duration, error) {
	d, err := words.ParseDuration(text)
	if err == nil && d <= 0 {
		err = &sim.Mistake{Wrong: words.Quote(text) + " is not above 0", Right: "write " + words.Duration.Accepts()}
	}
	return d, err
}

// keepAlive reads a duration that fits into the Keep Alive field of CONNECT, which has whole seconds.
func keepAlive(text string) (sim.Duration, error) {
	d, err := words.ParseDuration(text)
	if err == nil && d == 0 {
		return sim.KeepAliveOff, nil
	}
	if err == nil && !words.KeepAliveFits(d.D()) {
		err = &sim.Mistake{Wrong: words.Quote(text) + " is no keep-alive", Right: words.KeepAliveHint}
	}
	return d, err
}

// parseTopic checks an MQTT topic name, or CoAP path, with its placeholders.
func parseTopic(text string) (string, error) {
	rest := strings.NewReplacer("{id}", "x", "{fleet}", "x").Replace(text)
	switch {
	case strings.Trim(text, "/ ") == "":
		return "", errors.New("an empty topic: write it like sites/{fleet}/{id}")
	case len(text) > 1000:
		return "", errors.New("a topic of more than 1000 bytes: write it like sites/{fleet}/{id}")
	case strings.ContainsAny(rest, "{}"):
		return "", fmt.Errorf("unknown placeholder in topic %q: there are {id} and {fleet}", clip(text))
	case strings.ContainsAny(rest, "+#\x00"):
		return "", fmt.Errorf("topic %q has a wildcard: devices publish to names without + and #", clip(text))
	}
	return text, nil
}

// parseName checks the name of a fleet, model, target or signal: it becomes part of client
// identifiers and topics.
func parseName(name string) error {
	if !regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`).MatchString(name) {
		return fmt.Errorf("%q is not a valid name: use up to 64 letters, digits and . _ -, a letter or digit first", clip(name))
	}
	return nil
}

// parseAddress reads an address of the scheme, which it may leave out.
func parseAddress(scheme sim.Scheme) func(string) (string, error) {
	return func(text string) (string, error) {
		s, address, err := sim.ParseEndpoint(text, scheme)
		if err == nil && s != scheme {
			err = &sim.Mistake{Wrong: fmt.Sprintf("%s is of the scheme %s", words.Quote(text), s), Right: "put it under " + string(s)}
		}
		return address, err
	}
}
