package backend

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
)

// subscriber is a client with a session that is kept. It holds the broker to MQTT 5 sections 3.3.1.1, 4.3, 4.4, 4.6
// and 4.9 on the wire; what it remembers it remembers across its connections. One goroutine uses it.
type subscriber struct {
	id, filter string
	version    byte
	qos        byte
	window     uint16 // 0: it says none
	slow       bool   // acknowledges only when its window is full or nothing has come for a while, the last first
	most       uint32 // the largest packet that it takes; 0: any

	net.Conn
	r          *bufio.Reader
	lines      int             // connections so far
	open       map[uint16]bool // came on this connection and is not finished
	recorded   map[uint16]bool // QoS 2: PUBREC was sent and PUBREL has not come
	unanswered []uint16        // came and was not acknowledged yet
	got        []string        // payloads in the order of their first arrival
	times      map[string]int
	after      map[string]int // the connection on which it came last
}

// connect opens a connection and says whether the session was present.
func (s *subscriber) connect(address string) (present bool, err error) {
	if s.Conn, err = net.Dial("tcp", address); err != nil {
		return false, err
	}
	_ = s.SetDeadline(time.Now().Add(time.Minute))
	s.r = bufio.NewReader(s.Conn)
	s.lines++
	s.open, s.unanswered = make(map[uint16]bool), nil
	if s.recorded == nil {
		s.recorded, s.times, s.after = make(map[uint16]bool), make(map[string]int), make(map[string]int)
	}
	pk := packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Connect}, ProtocolVersion: s.version,
		Connect: packets.ConnectParams{ProtocolName: []byte("MQTT"), ClientIdentifier: s.id, Keepalive: 60},
	}
	if s.version == 5 {
		pk.Properties = packets.Properties{
			SessionExpiryInterval: 3600, SessionExpiryIntervalFlag: true, ReceiveMaximum: s.window, MaximumPacketSize: s.most,
		}
	}
	if err := s.send(&pk, (*packets.Packet).ConnectEncode); err != nil {
		return false, err
	}
	ack, err := s.packet()
	if err == nil && (ack.FixedHeader.Type != packets.Connack || ack.ReasonCode != 0) {
		err = fmt.Errorf("connack: %+v", ack)
	}
	return ack.SessionPresent, err
}

func (s *subscriber) subscribe() error {
	pk := packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Subscribe, Qos: 1}, ProtocolVersion: s.version, PacketID: 1,
		Filters: packets.Subscriptions{{Filter: s.filter, Qos: s.qos}},
	}
	if err := s.send(&pk, (*packets.Packet).SubscribeEncode); err != nil {
		return err
	}
	ack, err := s.packet()
	if err == nil && (ack.FixedHeader.Type != packets.Suback || len(ack.ReasonCodes) != 1 || ack.ReasonCodes[0] != s.qos) {
		err = fmt.Errorf("suback: %+v", ack)
	}
	return err
}

func (s *subscriber) send(pk *packets.Packet, encode func(*packets.Packet, *bytes.Buffer) error) error {
	var b bytes.Buffer
	if err := encode(pk, &b); err != nil {
		return err
	}
	_, err := s.Write(b.Bytes())
	return err
}

// packet reads one packet.
func (s *subscriber) packet() (pk packets.Packet, err error) {
	first, err := s.r.ReadByte()
	if err != nil {
		return pk, err
	}
	if err := pk.FixedHeader.Decode(first); err != nil {
		return pk, err
	}
	n, _, err := packets.DecodeLength(s.r)
	if err != nil {
		return pk, err
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(s.r, body); err != nil {
		return pk, err
	}
	pk.ProtocolVersion, pk.FixedHeader.Remaining = s.version, n
	switch pk.FixedHeader.Type {
	case packets.Connack:
		err = pk.ConnackDecode(body)
	case packets.Suback:
		err = pk.SubackDecode(body)
	case packets.Publish:
		err = pk.PublishDecode(body)
	case packets.Pubrel:
		err = pk.PubrelDecode(body)
	default:
		err = fmt.Errorf("unexpected packet type %d", pk.FixedHeader.Type)
	}
	return pk, err
}

// take handles what comes until n messages have been received and finished, or the connection breaks. Its errors are
// the broker's faults, and broken connections.
func (s *subscriber) take(n int) error {
	for len(s.got) < n || len(s.open) > 0 || len(s.recorded) > 0 {
		if s.slow && len(s.unanswered) > 0 {
			full := len(s.open) == int(s.window) || len(s.unanswered) >= 40
			_ = s.SetReadDeadline(time.Now().Add(2 * time.Millisecond))
			if _, err := s.r.Peek(1); full || errors.Is(err, errTimeout(err)) {
				if err := s.answer(); err != nil {
					return err
				}
			}
			_ = s.SetReadDeadline(time.Now().Add(time.Minute))
			if len(s.unanswered) == 0 {
				continue
			}
		}
		pk, err := s.packet()
		if err != nil {
			return fmt.Errorf("%s after %d of %d: %w", s.id, len(s.got), n, err)
		}
		if err := s.handle(&pk); err != nil {
			return fmt.Errorf("%s after %d of %d: %w", s.id, len(s.got), n, err)
		}
	}
	return nil
}

// errTimeout is err if it is a timeout.
func errTimeout(err error) error {
	if e := net.Error(nil); errors.As(err, &e) && e.Timeout() {
		return err
	}
	return errors.ErrUnsupported
}

func (s *subscriber) handle(pk *packets.Packet) error {
	id := pk.PacketID
	if pk.FixedHeader.Type == packets.Pubrel {
		if !s.recorded[id] && s.lines == 1 { // later it may be that PUBCOMP was lost
			return fmt.Errorf("PUBREL for %d, which is not known", id)
		}
		delete(s.recorded, id)
		delete(s.open, id)
		_, err := s.Write([]byte{packets.Pubcomp << 4, 2, byte(id >> 8), byte(id)})
		return err
	}
	payload, dup := string(pk.Payload), pk.FixedHeader.Dup
	switch {
	case pk.FixedHeader.Type != packets.Publish:
		return fmt.Errorf("unexpected %+v", pk)
	case pk.FixedHeader.Qos != s.qos:
		return fmt.Errorf("QoS %d", pk.FixedHeader.Qos)
	case s.open[id]:
		return fmt.Errorf("packet identifier %d is in use", id)
	}
	if s.open[id] = true; s.window > 0 && len(s.open) > int(s.window) {
		return fmt.Errorf("%d messages are unfinished, the window is %d", len(s.open), s.window)
	}
	again := s.qos == 2 && s.recorded[id] // PUBREC was lost
	if !again {
		if s.times[payload]++; s.times[payload] == 1 {
			s.got = append(s.got, payload)
		} else if s.qos == 2 {
			return fmt.Errorf("%q came twice with QoS 2", payload)
		}
		if s.times[payload] > 1 && !dup {
			return fmt.Errorf("%q came again without DUP", payload)
		}
		if dup && s.lines == 1 {
			return fmt.Errorf("%q came with DUP on the first connection", payload)
		}
		if s.after[payload] == s.lines {
			return fmt.Errorf("%q came twice on one connection", payload)
		}
		s.after[payload] = s.lines
	}
	s.unanswered = append(s.unanswered, id)
	if s.slow {
		return nil
	}
	return s.answer()
}

// answer acknowledges what came.
func (s *subscriber) answer() error {
	list := s.unanswered
	s.unanswered = nil
	if s.slow {
		slices.Reverse(list)
		time.Sleep(time.Millisecond)
	}
	for _, id := range list {
		kind := byte(packets.Puback)
		if s.qos == 2 {
			kind = packets.Pubrec
			s.recorded[id] = true
		} else {
			delete(s.open, id)
		}
		if _, err := s.Write([]byte{kind << 4, 2, byte(id >> 8), byte(id)}); err != nil {
			return err
		}
	}
	return nil
}

// expect checks that just these messages have come, and in this order.
func (s *subscriber) expect(t *testing.T, list []string) {
	t.Helper()
	if !slices.Equal(s.got, list) {
		for i := range min(len(list), len(s.got)) {
			if s.got[i] != list[i] {
				t.Errorf("%s: place %d is %q, want %q", s.id, i, s.got[i], list[i])
				break
			}
		}
		t.Errorf("%s: %d messages, want %d", s.id, len(s.got), len(list))
	}
}

// sender publishes with QoS 2, some hundred at a time.
type sender struct {
	*client311
	places chan struct{}
	write  sync.Mutex
	id     uint16
}

func newSender(t *testing.T, address, id string) *sender {
	s := &sender{client311: mustDial(t, address, id), places: make(chan struct{}, 300)}
	_ = s.SetDeadline(time.Now().Add(5 * time.Minute))
	go func() {
		for {
			pk, err := s.read()
			if err != nil {
				return
			}
			switch pk.FixedHeader.Type {
			case packets.Pubrec:
				s.write.Lock()
				_, _ = s.Write([]byte{packets.Pubrel<<4 | 2, 2, byte(pk.PacketID >> 8), byte(pk.PacketID)})
				s.write.Unlock()
			case packets.Pubcomp:
				<-s.places
			}
		}
	}()
	return s
}

// say publishes a message, when there is a place for it.
func (s *sender) say(topic, payload string) error {
	select {
	case s.places <- struct{}{}:
	case <-time.After(time.Minute):
		return errors.New("the sender's messages are not answered")
	}
	if s.id++; s.id == 0 {
		s.id = 1
	}
	pk := packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 2}, ProtocolVersion: 4,
		TopicName: topic, Payload: []byte(payload), PacketID: s.id,
	}
	var b bytes.Buffer
	if err := pk.PublishEncode(&b); err != nil {
		return err
	}
	s.write.Lock()
	defer s.write.Unlock()
	_, err := s.Write(b.Bytes())
	return err
}

// done waits until everything has been answered.
func (s *sender) done(t *testing.T) {
	t.Helper()
	eventually(t, "all is answered", func() bool { return len(s.places) == 0 })
}
