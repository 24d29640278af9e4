package sim

import (
	"cmp"
	"fmt"
	"time"
)

// Liveness is how a device on Myriad's own MQTT client notices that its peer is gone without a word: frozen, or
// behind a link that swallows everything. Zero is what MQTT asks for and no more: a PINGREQ when the device has
// sent nothing for its keep-alive (MQTT-3.1.2-23). A device that publishes more often than that never pings, and
// learns of a dead peer from the kernel alone. Client libraries have policies of their own.
type Liveness struct {
	Heard  Duration `json:"heard,omitempty"`  // a PINGREQ also when nothing has come for so long; 0: no
	Answer Duration `json:"answer,omitempty"` // the peer is gone when it owes an answer and nothing has come for so long; 0: only a PINGRESP is waited for, 10 s or the keep-alive
}

// KeepAliveOff as a binding's KeepAlive turns it off, which is 0 in the CONNECT (MQTT 5 section 3.1.2.10).
const KeepAliveOff Duration = -1

// keepAliveDefault is [Binding.KeepAlive] where it is 0.
const keepAliveDefault = Duration(time.Minute)

// KeepAliveOf is the keep-alive that an MQTT CONNECT has; 0 is none.
func (b *Binding) KeepAliveOf() time.Duration {
	switch k := b.KeepAlive; {
	case k < 0:
		return 0
	case k > 0:
		return k.D()
	}
	return keepAliveDefault.D()
}

// Word says how the devices of a binding notice a dead connection: "they ping after 60s without sending". It is
// what "connected" rests on in reports, which have the devices' word only.
func (b *Binding) Word() string {
	l := b.MQTT.Liveness
	switch {
	case b.Client != ClientOwn:
		return "they notice a dead connection as the " + string(b.Client) + " client does"
	case b.Channel != ChannelMQTT:
		return "they notice a dead peer when it answers nothing"
	}
	text := "they do not ping"
	if b.KeepAlive >= 0 {
		text = "they ping after " + shortly(cmp.Or(b.KeepAlive, Duration(time.Minute))) + " without sending"
	}
	if l.Heard > 0 {
		text += ", and after " + shortly(l.Heard) + " without hearing"
	}
	if l.Answer > 0 {
		text += fmt.Sprintf(", and expect an answer within %s", shortly(l.Answer))
	}
	return text
}

// shortly is d without zeros at its end.
func shortly(d Duration) string {
	if s := d.D(); s%time.Second == 0 && s < 10*time.Minute {
		return fmt.Sprintf("%ds", s/time.Second)
	}
	return d.String()
}
