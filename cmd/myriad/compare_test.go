package main

import (
	"strings"
	"testing"

	"github.com/myriad-iot/myriad/reports"
)

func TestCompareTable(t *testing.T) {
	var b strings.Builder
	err := compareTable(&b, []string{"embedded", "nats"}, []string{"x:3", "x:9"}, []map[string]compared{
		{"x:3": {"one", reports.Passed, "a note that nobody needs"}, "x:9": {"a|b", reports.Failed, ""}},
		{"x:3": {"one", reports.NotJudged, "it lacks MQTT 5"}},
	})
	const want = "| story | embedded | nats |\n|---|---|---|\n| one | passed | not judged |\n| a\\|b | failed | - |\n\n- one on nats: it lacks MQTT 5\n"
	if err != nil || b.String() != want {
		t.Errorf("%v\n%s\nwant\n%s", err, b.String(), want)
	}
	for target, want := range map[string]string{"mosquitto": "mosquitto", "mqtt://127.0.0.1:1883": "mqtt-127.0.0.1-1883"} {
		if got := folderOf(target); got != want {
			t.Errorf("%q has the folder %q", target, got)
		}
	}
}
