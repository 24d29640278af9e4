package mqtt

import (
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/myriad-iot/myriad/sim"
	"github.com/myriad-iot/myriad/sim/link"
)

// violation is an error of the peer against the protocol: the reason code that a version 5 DISCONNECT has
// for it (5 section 3.14.2.1).
type violation byte

const (
	errMalformed      violation = 0x81
	errProtocol       violation = 0x82
	errReceiveMaximum violation = 0x93
	errAlias          violation = 0x94
	errTooLarge       violation = 0x95
)

// Error implements error.
func (v violation) Error() string {
	return fmt.Sprintf("mqtt: the peer broke the protocol (%#x)", byte(v))
}

// failure is an outcome as an error.
type failure sim.Outcome

// Error implements error.
func (f failure) Error() string { return sim.Outcome(f).String() }

// OutcomeOf returns the class of an error of a connection, however it is wrapped. A cancelled context is not
// an error of the peer: its outcome is AppUnknown. An error without a class is LocalOther.
func OutcomeOf(err error) sim.Outcome {
	if err == nil {
		return sim.OK
	}
	var wrong violation
	var known failure
	switch {
	case errors.As(err, &wrong) && wrong == errTooLarge:
		return sim.MQTTOverLimit
	case errors.As(err, &wrong):
		return sim.MQTTMalformed
	case errors.As(err, &known):
		return sim.Outcome(known)
	}
	return link.OutcomeOf(err)
}

func isTimeout(err error) bool {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return true // a device's read timeout is frequent, so it must not allocate
	}
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// connackOutcome classifies a CONNACK code. The codes of 3.1.1 (1 to 5) and of 5 (0x80 and above)
// do not overlap, and a server that knows 3.1.1 only may answer a version 5 CONNECT with code 1.
func connackOutcome(code byte) sim.Outcome {
	switch code {
	case 0:
		return sim.OK
	case 4, 0x86:
		return sim.MQTTBadCredentials
	case 5, 0x87:
		return sim.MQTTNotAuthorized
	case 3, 0x88, 0x89, 0x9F:
		return sim.MQTTServerBusy
	case 0x95:
		return sim.MQTTTooLarge
	case 0x9C, 0x9D:
		return sim.MQTTRedirected
	}
	return sim.MQTTRefused
}

// pubackOutcome classifies a PUBACK or PUBREC reason (5 section 3.4.2.1); below 0x80 is success.
func pubackOutcome(reason byte) sim.Outcome {
	switch {
	case reason < 0x80:
		return sim.OK
	case reason == 0x87:
		return sim.MQTTNotAuthorized
	case reason == 0x97:
		return sim.MQTTQuotaExceeded
	}
	return sim.MQTTPubackError
}

// disconnectOutcome classifies the reason of a server's DISCONNECT (5 section 3.14.2.1).
func disconnectOutcome(reason byte) sim.Outcome {
	switch reason {
	case 0x8E:
		return sim.MQTTTakenOver
	case 0x89, 0x9F:
		return sim.MQTTServerBusy
	case 0x81, 0x82, 0x93, 0x94:
		return sim.MQTTProtocolError
	case 0x87:
		return sim.MQTTNotAuthorized
	case 0x95:
		return sim.MQTTTooLarge
	case 0x97:
		return sim.MQTTQuotaExceeded
	case 0x9C, 0x9D:
		return sim.MQTTRedirected
	}
	return sim.MQTTDisconnected
}
