package scenarios

import (
	"strings"
	"testing"

	"github.com/myriad-iot/myriad/scenarios/targets"
	"github.com/myriad-iot/myriad/sim"
)

const guardedStory = `Given an auth service decides who may connect
	And a fleet "rooms" of 100 "sensor" devices
	And fleet "rooms" speaks MQTT 3.1.1 with QoS 1
	And fleet "rooms" logs in as "{id}" with password "x"
	TARGET
	When fleet "rooms" connects evenly over 1s
	And phase "p" runs for 1m
	And "auth" answers with errors for 3s
	And "auth" is frozen for 2s
	And "auth" is killed and stays down for 4s
	And "auth" restarts
	Then "auth" is asked at most 200/s during phase "p"
	And "auth" uses at most 50% CPU
	And THEN`

func guardedBy(target, then string) string {
	return strings.NewReplacer("TARGET", target, "THEN", then).Replace(guardedStory)
}

// The broker of the target asks the service, which is one of the target's then, and Myriad itself is somebody to it.
func TestAuthService(t *testing.T) {
	for _, given := range []string{"And a rabbitmq broker in a container", "And fleet \"rooms\" connects with client id \"x/{id}\""} {
		o := Options{}
		if !strings.Contains(given, "broker") {
			o.Target = "rabbitmq"
		}
		s := plan(t, guardedBy(given, `"auth" is asked at least 1/s`), o)
		p := &s.Plan
		if s.NotJudged != "" || !p.Target.Auth || p.Target.Login.Username != "myriad-itself" || p.Target.Login.Password.Reveal() == "" {
			t.Errorf("%q: %s, %+v", given, s.NotJudged, p.Target)
		}
		if len(p.Target.Strangers) > 0 {
			t.Errorf("strangers %q", p.Target.Strangers)
		}
		auth := targets.Named(&p.Target, sim.AuthName)
		if auth == nil || auth.Role != sim.ServiceAuth || auth.Channel() != "" {
			t.Errorf("the target has the service %+v", auth)
		}
		for _, c := range p.Checks {
			if c.Lacks != "" {
				t.Errorf("%s: %s", c.Text, c.Lacks)
			}
		}
		if c := p.Checks[0]; c.Kind != sim.CheckAsked || c.Limit != 200 || c.Bound != sim.AtMost || c.Window.Phase != "p" {
			t.Errorf("%+v", c)
		}
	}
	s := plan(t, guardedBy("And a rabbitmq broker in a container\nAnd the auth service does not know fleet \"rooms\"", "no message is lost"), Options{})
	if got := s.Plan.Target.Strangers; s.NotJudged != "" || len(got) != 1 || got[0] != "rooms" {
		t.Errorf("%s: strangers %q", s.NotJudged, got)
	}
	if got := targets.Asking(); len(got) != 1 || got[0] != "rabbitmq" {
		t.Errorf("%q ask", got)
	}
}

// What asks nobody over HTTP is named before anything runs, whatever the story does to the service.
func TestAuthServiceOfOthers(t *testing.T) {
	for target, want := range map[string]string{
		"mosquitto":             `the target "mosquitto" asks nobody over HTTP who may connect: write ` + "`Given a rabbitmq broker in a container`",
		"nats":                  `the target "nats" asks nobody`,
		"ejabberd":              `the target "ejabberd" asks nobody`,
		"embedded":              `the target "embedded" asks nobody`,
		"virtual":               `the target "virtual" asks nobody`,
		"mqtt://127.0.0.1:1883": "the target yours asks nobody",
	} {
		s := plan(t, guardedBy("", "no message is lost"), Options{Target: target})
		if !strings.Contains(s.NotJudged, want) || s.Plan.Target.Auth {
			t.Errorf("%s: %q", target, s.NotJudged)
		}
	}
	s := plan(t, guardedBy("And a cluster of 3 rabbitmq brokers behind a load balancer", "no message is lost"), Options{})
	if !strings.Contains(s.NotJudged, "the nodes of a cluster do not reach") {
		t.Errorf("a cluster: %q", s.NotJudged)
	}
	s = plan(t, guardedBy("And a rabbitmq broker in a container", `"broker" is asked at most 5/s`), Options{})
	if got := s.Plan.Checks[2].Lacks; got != `"broker" is not asked over HTTP: "auth" is` {
		t.Errorf("%q", got)
	}
	s = plan(t, guardedBy("And a rabbitmq broker in a container\n And the limits of \"auth\":\n | cpu |\n | 50% |", "no message is lost"), Options{})
	if !strings.Contains(s.NotJudged, `has no service "auth" in a container`) {
		t.Errorf("its limits: %q", s.NotJudged)
	}
	broker := strings.Replace(guardedBy("And a rabbitmq broker in a container", "no message is lost"), `"auth" answers with errors`, `"broker" answers with errors`, 1)
	if s = plan(t, broker, Options{}); s.NotJudged != `the service "broker" of the target "rabbitmq" cannot be made to answer with errors` {
		t.Errorf("a broker: %q", s.NotJudged)
	}
}
