package scenarios

import (
	"strings"
	"testing"
)

// What cannot be done to a service is said with what could, and a hook is named only where it is asked for that.
func TestWhatCannotBeDoneToServices(t *testing.T) {
	const external = "mqtt://127.0.0.1:1883"
	for name, tt := range map[string]struct {
		sentences string
		o         Options
		want      string // "": it can
	}{
		"a kill, without a hook":     {`When "broker" is killed`, Options{Target: external}, "cannot be killed by Myriad itself: --hook COMMAND names what can"},
		"a kill, with one":           {`When "broker" is killed`, Options{Target: external, Hook: "sh break.sh"}, ""},
		"a backup":                   {`When "broker" is backed up as "noon"`, Options{Target: external}, "cannot be backed up, by Myriad or by a hook"},
		"a backup, with a hook":      {`When "broker" is backed up as "noon"`, Options{Target: external, Hook: "sh break.sh"}, "cannot be backed up, by Myriad or by a hook"},
		"a squeeze":                  {`When "broker" is limited to 10% CPU for 30s`, Options{Target: external}, "by Myriad or by a hook"},
		"a backup of Mosquitto":      {`When "broker" is backed up as "noon"`, Options{Target: "mosquitto"}, ""},
		"a backup of RabbitMQ":       {`When "broker" is backed up as "noon"`, Options{Target: "rabbitmq"}, `the service "broker" of the target "rabbitmq" cannot be backed up`},
		"a backup of our own broker": {`When "broker" is backed up as "noon"`, Options{}, `cannot be backed up`},
		"a backup in virtual time":   {`When "broker" is backed up as "noon"`, Options{Target: "virtual"}, `cannot be backed up`},
	} {
		t.Run(name, func(t *testing.T) {
			s := plan(t, "Given a fleet \"rooms\" of 100 \"sensor\" devices\n"+tt.sentences+`
				And fleet "rooms" connects evenly over 1s
				Then no message is lost`, tt.o)
			if tt.want == "" != (s.NotJudged == "") || !strings.Contains(s.NotJudged, tt.want) {
				t.Errorf("%q, not %q", s.NotJudged, tt.want)
			}
		})
	}
}
