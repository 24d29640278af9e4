package mqtt

import "github.com/myriad-iot/myriad/sim"

// ConnackOutcome is the class of a CONNACK code, of 3.1.1 or of 5.
func ConnackOutcome(code byte) sim.Outcome { return connackOutcome(code) }

// PubackOutcome is the class of the reason of a PUBACK or PUBREC (5 section 3.4.2.1).
func PubackOutcome(reason byte) sim.Outcome { return pubackOutcome(reason) }

// DisconnectOutcome is the class of the reason of a server's DISCONNECT (5 section 3.14.2.1).
func DisconnectOutcome(reason byte) sim.Outcome { return disconnectOutcome(reason) }
