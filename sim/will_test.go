package sim

import "testing"

// Whose a will is stands in its topic or its payload, to the letter.
func TestD1_7_WillDevice(t *testing.T) {
	fleet := func(topic, payload string) *Fleet {
		return &Fleet{Name: "a-1", Count: 20, Bindings: []Binding{{Role: RoleData, Channel: ChannelMQTT, MQTT: MQTT{Will: &Will{Topic: topic, Payload: payload}}}}}
	}
	inTopic, inPayload := fleet("{fleet}/{id}/state/{id}", "gone"), fleet("alarms/{fleet}", `{"device":"{id}"}`)
	for _, tt := range []struct {
		f              *Fleet
		topic, payload string
		want           Ordinal
		ok             bool
	}{
		{inTopic, "a-1/a-1-0/state/a-1-0", "gone", 0, true},
		{inTopic, "a-1/a-1-19/state/a-1-19", "gone", 19, true},
		{inTopic, "a-1/a-1-20/state/a-1-20", "gone", 0, false},
		{inTopic, "a-1/a-1-07/state/a-1-07", "gone", 0, false},
		{inTopic, "a-1/a-1-7/state/a-1-8", "gone", 0, false},
		{inTopic, "a-1/a-1-7/state/a-1-7", "here", 0, false},
		{inTopic, "a-1/a-1-/state/a-1-", "gone", 0, false},
		{inTopic, "a-1/a-1-99999999999/state/a-1-7", "gone", 0, false},
		{inTopic, "", "", 0, false},
		{inPayload, "alarms/a-1", `{"device":"a-1-3"}`, 3, true},
		{inPayload, "alarms/a-1", `{"device":"a-1-3"} `, 0, false},
		{inPayload, "alarms/a-2", `{"device":"a-1-3"}`, 0, false},
	} {
		o, ok := tt.f.WillDevice([]byte(tt.topic), []byte(tt.payload))
		if ok != tt.ok || ok && o != tt.want {
			t.Errorf("%q %q: %d, %v", tt.topic, tt.payload, o, ok)
		}
	}
	for f, want := range map[*Fleet]string{inTopic: "a-1/+/state/+", inPayload: "alarms/a-1"} {
		if got := f.WillFilter(); got != want || !f.LeavesWills() {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if fleet("alarms", "gone").LeavesWills() {
		t.Error("nobody can tell whose that is")
	}
}
