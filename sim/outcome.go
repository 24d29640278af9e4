package sim

import (
	"fmt"
	"strings"
)

// Outcome is the result of an act: one of a closed list, never free text. What the system under test does is an
// Outcome; an error of Myriad itself is a Go error. The zero value is success.
type Outcome uint16

// The outcomes, by layer. LayerLocal ones count against Myriad itself: they make a run invalid.
const (
	OK Outcome = iota

	DNSFailure

	TCPRefused     // connection refused, or ICMP port unreachable at connect
	TCPTimeout     // no answer within the connect timeout
	TCPReset       // connection reset by peer
	TCPClosed      // closed by the peer without a DISCONNECT or the like
	TCPUnreachable // no route to host or network

	TLSFailure // a handshake that failed for a reason without a class of its own here
	TLSTimeout // no answer, or not a whole one, within the connect timeout
	TLSRefused // the peer did not accept our certificate or key
	TLSBadPeer // we did not accept the peer's certificate
	TLSExpired // the peer's certificate is past its last day
	WSRefused  // the peer did not upgrade to WebSocket

	MQTTRefused          // CONNACK with a reason that has no class of its own here
	MQTTBadCredentials   // CONNACK 4 (3.1.1) or 0x86 (5)
	MQTTServerBusy       // CONNACK 3 (3.1.1) or 0x88, 0x89, 0x9F (5)
	MQTTConnackTimeout   // connected, but no CONNACK within the connect timeout
	MQTTKeepAliveTimeout // no PINGRESP
	MQTTDisconnected     // DISCONNECT from the server
	MQTTTakenOver        // DISCONNECT 0x8E: another client uses the identity
	MQTTPubackError      // PUBACK with a reason code of 0x80 and above
	MQTTNotAuthorized    // CONNACK 5 (3.1.1) or 0x87 (5); PUBACK or SUBACK with 0x87
	MQTTQuotaExceeded    // PUBACK with 0x97
	MQTTMalformed        // the peer sent what the protocol forbids
	MQTTNotSubscribed    // SUBACK with a failure
	MQTTRedirected       // CONNACK or DISCONNECT with 0x9C or 0x9D: use another server
	MQTTTooLarge         // over the peer's Maximum Packet Size: we did not send it, or the peer refused it (0x95)
	MQTTProtocolError    // DISCONNECT with 0x81, 0x82 or 0x94: the peer says that we broke the protocol
	MQTTWrongAnswer      // an acknowledgement of another QoS than the message's, as of a broker without QoS 2
	MQTTOverLimit        // a packet came that is larger than the device takes

	CoAPTimeout     // MAX_RETRANSMIT used up, no acknowledgement
	CoAPReset       // RST in answer to a message
	CoAPUnreachable // ICMP errors only until the exchange timed out
	CoAPClientError // response 4.xx
	CoAPServerError // response 5.xx
	CoAPTooMany     // response 4.29
	CoAPUnavailable // response 5.03
	CoAPMalformed   // the peer sent what the protocol forbids
	CoAPIncomplete  // a block-wise transfer broke off: 4.08, or blocks that do not fit together
	CoAPTooLarge    // response 4.13
	CoAPNoResponse  // acknowledged, or over TCP, and the response did not come
	CoAPAborted     // Abort or Release signal (RFC 8323), or a DTLS alert that ended the association

	HTTPTimeout      // no answer, or not a whole one, in time
	HTTPMalformed    // the peer sent what the protocol forbids, or what was not asked for
	HTTPTooLarge     // a header that is longer than a device takes
	HTTPIncomplete   // the connection ended in the middle of the answer
	HTTPRedirected   // status 3xx but 304: redirects are not followed
	HTTPUnauthorized // status 401 or 403
	HTTPTooMany      // status 429
	HTTPClientError  // any other 4xx
	HTTPUnavailable  // status 503
	HTTPServerError  // any other 5xx

	AppDropped // offline buffer full: due, never sent
	AppUnsent  // still in the buffer when the run ended: due, never sent
	AppUnknown // sent, and the run ended or the device lost power before any answer

	AppUnanswered // a command, and no answer came by the end
	AppStopped    // the device did not want the rest of a transfer

	RemarkQoS0      // SUBACK: QoS 0 was granted and more was asked for, which is legal (MQTT-3.8.4-7)
	RemarkQoS1      // the same with QoS 1
	RemarkForgotten // a NAT forgot a connection, as the story wants it
	RemarkTwin      // the peer accepted a device and soon closed its connection, three times running: as when another client has its id

	LocalDescriptors // EMFILE, ENFILE
	LocalPorts       // EADDRNOTAVAIL, EADDRINUSE
	LocalMemory      // ENOMEM, ENOBUFS
	LocalOther       // an error of this machine that has no class of its own
	LocalMisbehaves  // a device acted more often than its schedule and policies allow: a fault of Myriad

	outcomeEnd
)

// names are "<layer> <text>"; the text is what stories and reports say.
func outcomeNames() [outcomeEnd]string {
	return [...]string{
		OK:         "ok ok",
		DNSFailure: "dns name not resolved",
		TCPRefused: "tcp connection refused", TCPTimeout: "tcp connect timeout", TCPReset: "tcp connection reset",
		TCPClosed: "tcp connection closed", TCPUnreachable: "tcp host unreachable",
		TLSFailure: "tls handshake failed", TLSTimeout: "tls handshake timeout",
		TLSRefused: "tls credential refused", TLSBadPeer: "tls bad certificate", TLSExpired: "tls certificate expired", WSRefused: "ws upgrade refused",
		MQTTRefused: "mqtt connection refused by broker", MQTTBadCredentials: "mqtt bad user name or password",
		MQTTServerBusy: "mqtt server busy", MQTTConnackTimeout: "mqtt no connack",
		MQTTKeepAliveTimeout: "mqtt keep-alive timeout", MQTTDisconnected: "mqtt disconnected by broker",
		MQTTTakenOver: "mqtt session taken over", MQTTPubackError: "mqtt publish refused",
		MQTTNotAuthorized: "mqtt not authorized", MQTTQuotaExceeded: "mqtt quota exceeded",
		MQTTMalformed: "mqtt malformed packet", MQTTNotSubscribed: "mqtt subscription refused",
		MQTTRedirected: "mqtt redirected", MQTTTooLarge: "mqtt packet too large", MQTTProtocolError: "mqtt protocol error",
		CoAPTimeout: "coap no acknowledgement", CoAPNoResponse: "coap no response", CoAPReset: "coap reset", CoAPUnreachable: "coap unreachable",
		CoAPClientError: "coap client error", CoAPServerError: "coap server error", CoAPTooMany: "coap too many requests",
		CoAPUnavailable: "coap service unavailable", CoAPMalformed: "coap malformed message",
		CoAPIncomplete: "coap transfer incomplete", CoAPTooLarge: "coap entity too large", CoAPAborted: "coap connection aborted",
		HTTPTimeout: "http no answer in time", HTTPMalformed: "http malformed response", HTTPTooLarge: "http header too large",
		HTTPIncomplete: "http answer cut short", HTTPRedirected: "http redirected elsewhere",
		HTTPUnauthorized: "http status 401 or 403", HTTPTooMany: "http status 429", HTTPClientError: "http status 4xx",
		HTTPUnavailable: "http status 503", HTTPServerError: "http status 5xx",
		AppDropped: "app dropped by full buffer", AppUnsent: "app not sent by the end", AppUnknown: "app no answer by the end",
		AppUnanswered: "app command not answered", AppStopped: "app transfer stopped by the device",
		MQTTWrongAnswer: "mqtt acknowledgement of another QoS", MQTTOverLimit: "mqtt inbound packet over the device's limit",
		RemarkQoS0: "remark subscription granted with QoS 0 only", RemarkQoS1: "remark subscription granted with QoS 1 only",
		RemarkForgotten:  "remark connection forgotten by the NAT",
		RemarkTwin:       "remark accepted and soon closed three times running: has another client the same id?",
		LocalMisbehaves:  "local our device misbehaves",
		LocalDescriptors: "local out of descriptors", LocalPorts: "local out of ports",
		LocalMemory: "local out of memory", LocalOther: "local error",
	}
}

// Layer is "ok", "dns", "tcp", "tls", "ws", "mqtt", "coap", "http", "app", "remark" or "local".
func (o Outcome) Layer() string { layer, _, _ := strings.Cut(o.full(), " "); return layer }

// String is the outcome's name without its layer: "connection refused".
func (o Outcome) String() string { _, text, _ := strings.Cut(o.full(), " "); return text }

// Class is layer and name: "tcp connection refused".
func (o Outcome) Class() string { return o.full() }

// Local reports whether o counts against Myriad itself.
func (o Outcome) Local() bool { return o >= LocalDescriptors && o < outcomeEnd }

// Refusal reports whether o is the answer of a peer that took a message and said no to it: nothing was promised,
// and nothing of it is unknown.
func (o Outcome) Refusal() bool {
	switch o {
	case MQTTPubackError, MQTTNotAuthorized, MQTTQuotaExceeded, MQTTTooLarge,
		CoAPReset, CoAPClientError, CoAPServerError, CoAPTooMany, CoAPUnavailable, CoAPTooLarge:
		return true
	}
	return false
}

// Remark reports whether o is no failure, but something that reports should say: it is counted apart from
// errors, in no share and no latency, and no claim is about it.
func (o Outcome) Remark() bool { return o >= RemarkQoS0 && o < LocalDescriptors }

func (o Outcome) full() string {
	if o >= outcomeEnd {
		return fmt.Sprintf("local outcome %d", uint16(o))
	}
	return outcomeNames()[o]
}

// MarshalText implements encoding.TextMarshaler.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.Class()), nil }

// UnmarshalText implements encoding.TextUnmarshaler; it accepts a class or a name.
func (o *Outcome) UnmarshalText(text []byte) error {
	v, ok := ParseOutcome(string(text))
	if !ok {
		return fmt.Errorf("unknown outcome %q", text)
	}
	*o = v
	return nil
}

// ParseOutcome finds an outcome by its class or name.
func ParseOutcome(text string) (Outcome, bool) {
	for i, full := range outcomeNames() {
		_, name, _ := strings.Cut(full, " ")
		if text == full || text == name {
			return Outcome(i), true
		}
	}
	return 0, false
}

// OutcomeNames lists the names of all outcomes that are failures, in order.
func OutcomeNames() []string {
	var names []string
	for o := OK + 1; o < outcomeEnd; o++ {
		if o.Remark() {
			continue
		}
		names = append(names, o.String())
	}
	return names
}
