package scenarios

import (
	"fmt"
	"strings"

	expressions "github.com/cucumber/cucumber-expressions/go/v17"
)

// laterStep is a step of the vocabulary that is not implemented yet. These steps are not in the catalogue.
// A story that uses one gets a message that says so, instead of a hint about a typing error.
type laterStep struct {
	id   string
	expr expressions.Expression
}

func newLater() ([]laterStep, error) {
	registry := expressions.NewParameterTypeRegistry()
	for _, t := range paramTypes() {
		if err := define(registry, t.name, t.pattern); err != nil {
			return nil, err
		}
	}
	for _, t := range [][2]string{
		{"version", `\d+(?:\.\d+)*\S*`},
		{"reason", `[a-z][a-z -]*`},
	} {
		if err := define(registry, t[0], t[1]); err != nil {
			return nil, err
		}
	}
	var later []laterStep
	for line := range strings.Lines(laterVocabulary) {
		id, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		e, err := expressions.NewCucumberExpression(text, registry)
		if err != nil {
			return nil, fmt.Errorf("step %s: %w", id, err)
		}
		later = append(later, laterStep{id, e})
	}
	return later, nil
}

const laterVocabulary = `T5 a CoAP server {string} in a container
F5 fleet {string} sits behind {count} {string} gateway(s)
F6 fleet {string} is spread over {count} site(s)
F9 the clocks of {selection} drift by up to {duration}
F10 fleet {string} runs firmware {version}
M5 {string} devices send only changes above {percent}
M7 {string} devices replay the capture {string} at {count}x speed
N2 {selection} see(s) {duration} latency, {duration} jitter and {percent} packet loss
X3 the link between {string} and {string} is cut for {duration}
X4 {string} answers {duration} slower for {duration}
X7 {selection} send(s) malformed/oversized/duplicated payloads at {rate}
X8 signal {string} of {selection} spikes/drifts/freezes for {duration}
L2 {selection} enroll(s) with {string} at {rate}
L3 firmware {version} is rolled out to {selection} in waves of {percent} every {duration}
L4 firmware {version} fails to download/verify/install/boot/settle on {selection}
L5 the rollout is paused/resumed/cancelled
L6 the rollout rolls back a wave when more than {percent} of it fails
L7 this configuration is pushed to {selection}:
L8 {selection} is/are decommissioned
W5 fleet {string} grows by {count} every {duration} until an objective breaks
A9 the backend holds exactly what the devices sent
A10 the last {string} in {string} matches {selection} within {duration}
A11 query {string} returns {bound} {count}
A12 {selection} run(s) firmware {version}
A12 {selection} run(s) firmware {version} within {duration}
A13 alert {string} is raised within {duration}
A13 alert {string} is never raised
A17 nothing is worse than baseline {string} by more than {percent}
S2 {selection} present(s) an expired/revoked/self-signed/wrong-name certificate
S3 {selection} rotate(s) keys with an overlap of {duration}
S4 {selection} is/are refused with {reason}
S4 {selection} is/are accepted
S5 {selection} cannot publish/subscribe to {string}
S6 {selection} attest(s) with valid/tampered/stale evidence
S8 no secret appears in logs, metrics or reports`
