package render

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/invopop/jsonschema"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/sim/ledger"
)

// JSONSchema describes the figure for [SummarySchema].
func (Figure) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "number"}, {Type: "null"}}}
}

// SummarySchema is the JSON Schema of summary.json (draft 2020-12). It says of each property what it is. Later versions
// of the same schema number may add properties, so it allows unknown ones.
func SummarySchema() ([]byte, error) {
	r := jsonschema.Reflector{AllowAdditionalProperties: true, Anonymous: true}
	s := r.Reflect(Summary{})
	s.Title = "Myriad result summary"
	s.Description = fmt.Sprintf("summary.json of a result folder, schema %d; durations in seconds", reports.Schema)
	for name, def := range s.Definitions {
		for p := def.Properties.Oldest(); p != nil; p = p.Next() {
			describe(name, p.Key, p.Value)
		}
	}
	if p, ok := s.Definitions[reflect.TypeFor[Summary]().Name()].Properties.Get("schema"); ok {
		p.Const = reports.Schema
	}
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("summary schema: %w", err)
	}
	return append(b, '\n'), nil
}

// describe says what a property is, and which verdicts there are.
func describe(of, name string, p *jsonschema.Schema) {
	if name == "verdict" {
		for _, v := range reports.Verdicts() {
			p.Enum = append(p.Enum, v)
		}
	}
	text := properties()[of+"."+name]
	if text == "" {
		text = properties()[name]
	}
	if column := ledger.FindColumn(strings.ReplaceAll(name, "_", " ")); text == "" && of == reflect.TypeFor[ledger.Totals]().Name() && column != nil {
		text = column.Means
	}
	p.Description = text
}

// properties says what each property is: those of one object by both names, those that mean the same everywhere
// by their own. The account of messages is described by its columns.
func properties() map[string]string {
	return map[string]string{
		"schema": "version of this file", "version": "of Myriad", "started": "when the command began",
		"verdict": "what the run showed", "seed": "of all random choices", "scale": "that device counts were multiplied by",
		"seconds": "how long it took; of a story: its timeline", "stories": "each story that was run, in order",
		"fleets":   "by name; of several stories the largest of a name",
		"messages": "account of what devices sent of their own accord", "commands": "account of what was sent to devices, where any was",
		"latency": "response times by operation, from when each was due, without the warm-up",
		"lag":     "how late the generator itself was", "errors": "classes of failed operations",
		"name": "of the story", "feature": "that the story belongs to", "uri": "file of the story", "line": "of the story in its file",
		"reasons": "why it is invalid, not judged or aborted", "thens": "each claim, guards first",
		"endpoints": "the work of each endpoint of the target, where they are known",

		"text": "the sentence", "value": "what was found, in the unit; null where there is no such figure",
		"limit": "what the sentence allows, in the unit", "margin": "how far the value is on the good side of the limit",
		"n": "operations, messages or devices behind the value", "unit": "of value, limit and margin", "note": "what makes the value readable",
		"origin": "file and line of the sentence", "never": "true where the value falls among operations that were never answered, or what it waits for never came",
		"unanswered": "operations that were due and never answered, which are slower than any limit",
		"left_out":   "operations that were due and are in no figure: the story ended them first, or nobody could see them",

		"bytes_sent": "that its devices gave to their sockets: payload of TCP and UDP; of several stories the sum", "bytes_received": "that its devices took from their sockets; likewise",
		"devices": "how many", "connected_peak": "devices connected at once, at most", "unobserved": "why nothing is known of what arrived",
		"ErrorSummary.devices": "the first that met it", "EndpointLoad.devices": "that dial it first",
		"class": "layer and name of the outcome", "op": "operation", "count": "how many", "warm_up": "of the count, those due in the warm-up",
		"first": "when the first ended, in seconds of the run", "last": "when the last ended, in seconds of the run",
		"address": "scheme, host and port", "connected": "devices, when as many as ever were connected", "connects": "connections that were established",
		"second": "of devices, those that dial it for a second connection, which is not in connected", "second_connects": "of connects, those of second connections",
		"sent": "messages that were first handed to the network", "acked": "messages that were acknowledged", "failures": "calls, connections and messages that failed",

		"Quantiles.count": "operations that were answered", "p50": quantileText("half"), "p90": quantileText("90%"), "p99": quantileText("99%"),
		"p99_9": quantileText("99.9%"), "max": "the longest, in seconds; null where one was never answered",
		"mean": "in seconds; null where one was never answered",

		"CommandTotals.due": "that came due", "CommandTotals.sent": "handed to the broker or server", "CommandTotals.unsent": "refused there, or it could not be reached",
		"CommandTotals.answered": "answered at least once", "CommandTotals.duplicated": "answers beyond the first of a command",
		"CommandTotals.unanswered": "no answer came by the end", "CommandTotals.phantom": "answers to what was never sent, or of another device",

		"journeys": "how far devices came on their journeys, where the run kept account of them", "FlowState.journeys": "that came into it at least once",
		"JourneyResult.fleet": "of the devices", "journey": "kind of the journey", "began": "journeys that began", "open": "journeys that did not end",
		"missing": "devices whose account never came", "states": "of the journey, in order", "passages": "from one state into the next",
		"JourneyResult.simulator_lost": "journeys begun before another worker took their device over", "state": "its name",
		"end": "true where a journey ends in it", "Parting.times": "how often", "FlowState.devices": "that were in it at the end of the run",
		"from": "state that was left; empty where the journey began", "to": "state that was entered",
		"broker_drops": "what the brokers themselves said that they dropped, where they say so", "endpoint": "address of the broker",
		"before": "its counter when the run began", "during": "what was added in the run, as far as it told", "points": "by time, where the number grew",
		"usage": "what the target's services used of this machine, of those of which that is known", "service": "its name",
		"cpu_mean": "share of one processor over the run; 2 is two processors", "cpu_peak": "the largest share of one processor in any five seconds",
		"memory_peak": "the most memory that it held, in bytes",
		"figures":     "what the target's services told of themselves, of what claims of the story name", "FigureSummary.name": "as the service has it",
		"FigureSummary.first": "its value when it was read first", "FigureSummary.last": "its value when it was read last", "highest": "of all values that were read",
		"at_ns": "nanoseconds since the run's origin", "DropPoint.dropped": "what had been added by then",

		"hearings":           "what subscribing devices got of other devices' messages, by sending stream and receiving fleet or group",
		"HearingResult.from": "fleet that sends", "stream": "of it", "HearingResult.to": "fleets that hear; several only in a group",
		"group":     "name/filter of a shared subscription: each message is for one of its members",
		"receivers": "that were subscribed at some time", "away": "of the receivers, those that were not connected at the end",
		"HearingResult.missing": "receivers, and senders, whose account never came", "apart": "pairs at different brokers: nothing is owed there",
		"never_subscribed": "devices that were to subscribe and never got their subscription: nothing was owed to them", "blurred": "receivers with more connections than are kept: what came counts, and nothing is owed",
		"retained": "messages that the broker had kept and gave to who subscribed later", "owed": "got, or acknowledged while the receiver was subscribed for certain",
		"got": "distinct messages of those sent", "HearingResult.lost": "owed, and never came",
		"Totals.unanswered":       "sent at QoS 1 or 2, or confirmable, and neither acknowledged nor refused, whether somebody saw them or not",
		"HearingResult.unsettled": "the receiver was entitled to it, and left before it must have come",
		"HearingResult.unknown":   "never came, and nobody knows whether it should have", "twice": "copies beyond the first",
		"again":                   "copies that the protocol allows",
		"HearingResult.reordered": "first copies that came after a later message of their sender", "HearingResult.phantom": "came, and were never sent",
		"HearingResult.lost_by_qos": "the parts of lost, by the lower QoS of message and subscription",
		"lost_in_stalls":            "the part of lost that came while a process of Myriad's with devices did not run, or had not caught up",
		"lost_connected":            "the part of lost that came while the receiver was connected, so that a full queue shows that it was read too slowly",
		"owed_by_qos":               "the parts of owed, by the lower QoS of message and subscription",

		"wills":            "of fleets whose devices leave wills: which were due, and which came",
		"WillResult.fleet": "its name", "WillResult.devices": "that were connected at some time", "not_known": "devices of which it is not known how their connections ended",
		"published": "that came, for whatever reason", "WillResult.due": "whose connection ended without a DISCONNECT, and whose device did not come back within the will's delay",
		"WillResult.received": "of those due", "WillResult.missing": "due, and never came",
		"WillResult.unsettled": "due, and the broker still had time for it when the run ended",
		"WillResult.unknown":   "due, never came, and the probe may not have been there",
		"too_early":            "came while the connection was up, or before the delay was over",
		"not_due":              "came after a DISCONNECT, or although the device came back before the delay was over",

		"sessions":            "of fleets that report by MQTT: connections, how the broker ended them, and which devices were taken over",
		"SessionResult.fleet": "its name", "SessionResult.devices": "that were connected at some time", "connections": "of its devices",
		"session_present":          "connections at which the broker still had the session",
		"SessionResult.taken_over": "connections that ended because another client took the session: the broker said so (0x8E), or closed without a reason when a copy of the device was accepted",
		"ended":                    "connections that the broker ended, by reason, the most frequent first", "how": "the reason, as MQTT 5 names it, with its code", "times": "how often",
		"taken":               "devices that were taken over, or held two sessions at once; all of them",
		"TakenSession.device": "its name", "by": "who else shows its identity, as far as the story says", "told": "how often the broker said so (0x8E)",
		"seen":                  "how often the broker closed without a reason when one of by was accepted",
		"TakenSession.first_ns": "when it was told first, in nanoseconds since the run's origin; 0 if never", "TakenSession.last_ns": "when it was told last",
		"together_ns": "the longest that the device and one of by were connected at once, in nanoseconds",

		"sent_astray": "the part of sent_unwatched that was sent to a server where a redirect led",

		"lost_nobody": "the part of lost of which the broker said that nobody subscribes to it", "acked_by_qos": "the parts of acknowledged, by QoS 0, 1 and 2",
		"lost_by_qos": "the parts of lost, by QoS 0, 1 and 2", "sent_by_qos": "the parts of sent, by QoS 0, 1 and 2",
		"unsettled_by_qos": "the parts of unsettled, by QoS 0, 1 and 2", "unwatched_by_qos": "the parts of unwatched, by QoS 0, 1 and 2",
		"sent_unwatched": "sent or acknowledged while nobody watched the far end", "simulator_lost": "due before another worker took their device over",
	}
}

func quantileText(share string) string {
	return "nearest rank, in seconds: " + share + " of all that were due took at most this long; null where that many were not answered"
}
