package sim

import (
	"fmt"
	"strings"
)

// Outcome is what became of an act: a closed list, never free text. What the system under test
// does is an Outcome; what Myriad does wrong is a Go error. The zero value is success.
type Outcome uint16

// The outcomes, by layer. LayerLocal ones count against Myriad itself: they make a run invalid.
const (
	OK Outcome = iota

	DNSFailure

	TCPRefused     // connection refused, or ICMP port unreachable at connect
	TCPTimeout     // no answer within the connect timeout
	TCPReset       // connection reset by peer
	TCPClosed      // closed by the peer without a protocol goodbye
	TCPUnreachable // no route to host or network

	TLSFailure // a handshake that failed for a reason without a class of its own here
	TLSTimeout // no answer, or not a whole one, within the connect timeout
	TLSRefused // the peer did not accept our certificate or key
	TLSBadPeer // we did not accept the peer's certificate
	WSRefused  // the peer did not upgrade to WebSocket

	MQTTRefused          // CONNACK with a reason that has no class of its own here
	MQTTBadCredentials   // CONNACK 4, 5 (3.1.1) or 0x86, 0x87 (5)
	MQTTServerBusy       // CONNACK 3 (3.1.1) or 0x88, 0x89, 0x9F (5)
	MQTTConnackTimeout   // connected, but no CONNACK within the connect timeout
	MQTTKeepAliveTimeout // no PINGRESP
	MQTTDisconnected     // DISCONNECT from the server
	MQTTTakenOver        // DISCONNECT 0x8E: another client uses the identity
	MQTTPubackError      // PUBACK with a reason code of 0x80 and above
	MQTTNotAuthorized    // PUBACK or SUBACK with 0x87
	MQTTQuotaExceeded    // PUBACK with 0x97
	MQTTMalformed        // the peer sent what the protocol forbids
	MQTTNotSubscribed    // SUBACK with a failure, or with a lower QoS than asked for
	MQTTRedirected       // CONNACK or DISCONNECT with 0x9C or 0x9D: use another server
	MQTTTooLarge         // over the peer's Maximum Packet Size, ours to see or the peer's to say (0x95)
	MQTTProtocolError    // DISCONNECT with 0x81, 0x82 or 0x94: the peer holds that we broke the protocol

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
	CoAPAborted     // Abort or Release signal (RFC 8323), or a DTLS alert that ended the association

	AppDropped // offline buffer full: due, never sent
	AppUnsent  // still in the buffer when the run ended: due, never sent
	AppUnknown // sent, and the run ended or the device lost power before any answer

	AppUnanswered // a command, and no answer came by the end

	LocalDescriptors // EMFILE, ENFILE
	LocalPorts       // EADDRNOTAVAIL, EADDRINUSE
	LocalMemory      // ENOMEM, ENOBUFS
	LocalOther       // an error of this machine that has no class of its own

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
		TLSRefused: "tls credential refused", TLSBadPeer: "tls bad certificate", WSRefused: "ws upgrade refused",
		MQTTRefused: "mqtt connection refused by broker", MQTTBadCredentials: "mqtt bad credentials",
		MQTTServerBusy: "mqtt server busy", MQTTConnackTimeout: "mqtt no connack",
		MQTTKeepAliveTimeout: "mqtt keep-alive timeout", MQTTDisconnected: "mqtt disconnected by broker",
		MQTTTakenOver: "mqtt session taken over", MQTTPubackError: "mqtt publish refused",
		MQTTNotAuthorized: "mqtt not authorized", MQTTQuotaExceeded: "mqtt quota exceeded",
		MQTTMalformed: "mqtt malformed packet", MQTTNotSubscribed: "mqtt subscription refused",
		MQTTRedirected: "mqtt redirected", MQTTTooLarge: "mqtt packet too large", MQTTProtocolError: "mqtt protocol error",
		CoAPTimeout: "coap no acknowledgement", CoAPReset: "coap reset", CoAPUnreachable: "coap unreachable",
		CoAPClientError: "coap client error", CoAPServerError: "coap server error", CoAPTooMany: "coap too many requests",
		CoAPUnavailable: "coap service unavailable", CoAPMalformed: "coap malformed message",
		CoAPIncomplete: "coap transfer incomplete", CoAPTooLarge: "coap entity too large", CoAPAborted: "coap connection aborted",
		AppDropped: "app dropped by full buffer", AppUnsent: "app not sent by the end", AppUnknown: "app no answer by the end",
		AppUnanswered:    "app command not answered",
		LocalDescriptors: "local out of descriptors", LocalPorts: "local out of ports",
		LocalMemory: "local out of memory", LocalOther: "local error",
	}
}

// Layer is "ok", "dns", "tcp", "tls", "ws", "mqtt", "coap", "app" or "local".
func (o Outcome) Layer() string { layer, _, _ := strings.Cut(o.full(), " "); return layer }

// String is the outcome's name without its layer: "connection refused".
func (o Outcome) String() string { _, text, _ := strings.Cut(o.full(), " "); return text }

// Class is layer and name: "tcp connection refused".
func (o Outcome) Class() string { return o.full() }

// Local reports whether o counts against Myriad itself.
func (o Outcome) Local() bool { return o >= LocalDescriptors && o < outcomeEnd }

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

// OutcomeNames lists the names of all outcomes but ok, in order.
func OutcomeNames() []string {
	var names []string
	for o := OK + 1; o < outcomeEnd; o++ {
		names = append(names, o.String())
	}
	return names
}
