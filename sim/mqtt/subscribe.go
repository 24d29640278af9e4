package mqtt

import (
	"strings"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/myriad-iot/myriad/sim"
)

// subscribe asks for the filters and returns when the server has granted all of them. It waits no longer than the connection's deadline. Messages that come before the
// SUBACK, as they may (MQTT-3.8.4-3), are left for Wait.
func (c *conversation) subscribe(list []sim.Subscription, facts *sim.Facts) (sim.Outcome, error) {
	s := c.pool.get()
	p := &s.packet
	p.FixedHeader = packets.FixedHeader{Type: packets.Subscribe, Qos: 1}
	p.ProtocolVersion, p.PacketID = c.level(), subscribeID
	for _, l := range list {
		if c.noShare && strings.HasPrefix(l.Filter, "$share/") {
			c.pool.put(s)
			return sim.MQTTNotSubscribed, nil // 5 section 3.2.2.3.13
		}
		p.Filters = append(p.Filters, packets.Subscription{Filter: l.Filter, Qos: l.QoS})
	}
	err := p.SubscribeEncode(&s.out)
	if err == nil {
		c.sentAt = time.Now()
		_, err = c.conn.Write(s.out.Bytes())
	}
	c.pool.put(s)
	if err != nil {
		return sim.OK, err
	}
	c.in.legal = typesSession | 1<<packets.Suback
	defer func() { c.in.legal = typesSession }()
	for {
		head, body, ok, err := c.in.packet()
		switch {
		case err != nil:
			c.complain(err)
			return sim.OK, err
		case !ok:
			if err := c.in.fill(c.conn); err != nil {
				return sim.OK, err
			}
		case head.Type == packets.Suback:
			outcome, err := c.granted(head, body, list, facts)
			c.complain(err)
			return outcome, err
		case head.Type == packets.Disconnect:
			if err := c.receiveDisconnect(&head, body); err != nil {
				c.complain(err)
				return sim.OK, err
			}
			return c.down, nil
		case len(body) < head.Remaining:
			c.rare().oversized = true
			c.takeNothing(&head, body)
		default:
			if err := c.rare().wait(head, body); err != nil {
				return sim.OK, err
			}
		}
	}
}

// granted checks whether a SUBACK grants all of list. A lower QoS is legal (MQTT-3.8.4-7) and noted in facts.
func (c *conversation) granted(head packets.FixedHeader, body []byte, list []sim.Subscription, facts *sim.Facts) (sim.Outcome, error) {
	s := c.pool.get()
	defer c.pool.put(s)
	p := &s.packet
	p.FixedHeader, p.ProtocolVersion = head, c.level()
	if p.SubackDecode(body) != nil || p.PacketID != subscribeID || len(p.ReasonCodes) != len(list) {
		return sim.OK, errMalformed
	}
	for i, code := range p.ReasonCodes {
		switch {
		case code == 0x87:
			return sim.MQTTNotAuthorized, nil
		case code < 0x80 && code > 2:
			return sim.OK, errMalformed // MQTT-3.9.3-2
		case code >= 0x80:
			return sim.MQTTNotSubscribed, nil
		case code == 0 && list[i].QoS > 0:
			facts.Granted = sim.RemarkQoS0
		case code < list[i].QoS && facts.Granted == sim.OK:
			facts.Granted = sim.RemarkQoS1
		}
	}
	return sim.OK, nil
}

// wait keeps a packet that came before the SUBACK.
func (e *extra) wait(head packets.FixedHeader, body []byte) error {
	if len(e.early)+len(body) > maxEarly {
		return errTooLarge
	}
	first := head.Type<<4 | head.Qos<<1
	if head.Dup {
		first |= 8
	}
	if head.Retain {
		first |= 1
	}
	e.early = append(e.early, first)
	for n := len(body); ; {
		b := byte(n & 0x7F)
		if n >>= 7; n == 0 {
			e.early = append(e.early, b)
			break
		}
		e.early = append(e.early, b|0x80)
	}
	e.early = append(e.early, body...)
	return nil
}
