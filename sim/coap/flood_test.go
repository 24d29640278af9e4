package coap

import (
	"testing"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"

	"github.com/myriad-iot/myriad/sim"
)

// content is a response to a registration; age below 0 is no Max-Age.
func content(number uint32, age int, payload string) message.Message {
	m := message.Message{Type: message.Acknowledgement, Code: codes.Content, Payload: []byte(payload),
		Options: message.Options{uintOption(message.Observe, number)}}
	if age >= 0 {
		m.Options = append(m.Options, uintOption(message.MaxAge, uint32(age)))
	}
	return m
}

// as is m as another type of message.
func as(kind message.Type, m message.Message) message.Message {
	m.Type = kind
	return m
}

func always(list ...message.Message) func(int) []message.Message {
	return func(int) []message.Message { return list }
}

func refuses(code codes.Code, age int) func(int) []message.Message {
	m := message.Message{Type: message.Acknowledgement, Code: code}
	if age >= 0 {
		m.Options = message.Options{uintOption(message.MaxAge, uint32(age))}
	}
	return always(m)
}

// Whatever a peer says to registrations, a device sends a few datagrams for what it observes, at most three
// registrations of a path in any minute, and all its reports.
func TestD2_1NoPeerMakesADeviceFlood(t *testing.T) {
	const span, every = 30 * time.Minute, 5 * time.Second
	part := message.Message{Type: message.Acknowledgement, Code: codes.Content, Payload: make([]byte, 16), Options: message.Options{
		uintOption(message.Observe, 5), uintOption(message.Block2, block{more: true}.value())}}
	gone := message.Message{Type: message.NonConfirmable, Code: codes.NotFound}
	for name, tt := range map[string]struct {
		say  func(n int) []message.Message
		most int // registrations
	}{
		"one low number, Max-Age 1": {func(n int) []message.Message {
			return []message.Message{content(max(10-5*uint32(n), 5), 1, "state")}
		}, 90},
		"numbers that fall":        {func(n int) []message.Message { return []message.Message{content(1000-uint32(n), 1, "s")} }, 90},
		"one number, Max-Age 0":    {always(content(5, 0, "state")), 90},
		"one number, Max-Age 1":    {always(content(5, 1, "state")), 90},
		"one number, 60 s":         {always(content(5, -1, "state")), 28},
		"one number, notified":     {always(content(5, 1, "a"), as(message.NonConfirmable, content(5, 1, "b")), as(message.Confirmable, content(4, 0, "c"))), 90},
		"a separate response":      {always(as(message.Confirmable, content(5, 1, "state"))), 90},
		"a copy of each":           {always(content(5, 1, "state"), content(5, 1, "state")), 90},
		"Max-Age of 136 years":     {always(content(5, 1<<32-1, "state")), 1},
		"2.03":                     {always(message.Message{Type: message.Acknowledgement, Code: codes.Valid, Options: content(5, 1, "").Options}), 90},
		"no Observe":               {always(message.Message{Type: message.Acknowledgement, Code: codes.Content}), 15},
		"4.04":                     {refuses(codes.NotFound, -1), 15},
		"4.29":                     {refuses(codes.TooManyRequests, 0), 15},
		"5.00":                     {refuses(codes.InternalServerError, -1), 15},
		"5.03":                     {refuses(codes.ServiceUnavailable, -1), 15},
		"5.03, Max-Age 0":          {refuses(codes.ServiceUnavailable, 0), 15},
		"3.00":                     {refuses(3<<5, -1), 15},
		"a reset":                  {always(message.Message{Type: message.Reset}), 15},
		"silence":                  {always(), 15},
		"granted, then 4.04":       {always(content(5, 1, "state"), gone), 15},
		"granted, told, then 4.04": {always(content(5, 1, "a"), as(message.NonConfirmable, content(6, 1, "b")), gone), 90},
		"granted, then not":        {always(content(5, 1, "a"), message.Message{Type: message.Confirmable, Code: codes.Content}), 15},
		"a block, and no other":    {always(part), 15},
		"a notified block":         {always(content(5, 1, "a"), as(message.NonConfirmable, part)), 90},
		"turns": {func(n int) []message.Message {
			return [][]message.Message{{content(9, 0, "")}, refuses(codes.NotFound, -1)(0), {content(2, 0, "a")}, nil}[n%4]
		}, 90},
	} {
		for over, dial := range transports {
			t.Run(name+"/"+over, func(t *testing.T) {
				q := &quirky{say: tt.say}
				b := sim.Binding{CoAP: sim.CoAP{Observe: []string{"c"}, NStart: 2}}
				acked := 0
				dial(t, b, q, func(c talker) { acked, _ = reportsFor(c, span, every) })
				if want := int(span / every); acked != want || q.reports != want {
					t.Errorf("%d reports acknowledged, %d arrived, want %d", acked, q.reports, want)
				}
				if n := len(q.registrations); n > tt.most || n == 0 {
					t.Errorf("%d registrations in %v, want at most %d", n, span, tt.most)
				}
				if n := crowded(q.registrations, time.Minute); n > 3 {
					t.Errorf("%d registrations in a minute", n)
				}
				if n := crowded(q.registrations, shortestWait); n > 1 {
					t.Errorf("%d registrations in %v", n, shortestWait)
				}
				if q.messages > 600 {
					t.Errorf("%d messages", q.messages)
				}
			})
		}
	}
}
