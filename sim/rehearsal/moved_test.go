package rehearsal

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/reports"
	"github.com/myriad-iot/myriad/scenarios"
	"github.com/myriad-iot/myriad/sim/internal/peers"
)

// The test binary is also the parts of a rehearsal.
func TestMain(m *testing.M) {
	if code, part := Child(os.Args[1:]); part {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// sending listens before a broker and sends whoever speaks MQTT 5 to another one (CONNACK 0x9C, MQTT 5 section
// 4.13); the others it lets in.
func sending(t *testing.T, broker, other string) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				in := bufio.NewReader(c)
				head, err := in.Peek(10) // type, length (1 or 2), "MQTT" with its length, version
				if err != nil {
					return
				}
				if _, rest, _ := bytes.Cut(head, []byte("MQTT")); len(rest) > 0 && rest[0] == 5 {
					properties := append([]byte{0x1C, 0, byte(len(other))}, other...)
					ack := append([]byte{0, 0x9C, byte(len(properties))}, properties...)
					_, _ = c.Write(append([]byte{0x20, byte(len(ack))}, ack...))
					_, _ = io.Copy(io.Discard, in)
					return
				}
				to, err := net.Dial("tcp", broker)
				if err != nil {
					return
				}
				defer to.Close()
				go func() { _, _ = io.Copy(to, in); _ = to.Close() }()
				_, _ = io.Copy(c, to)
			}()
		}
	}()
	return l.Addr().String()
}

// What arrives at a broker to which a server sent the devices nobody sees: it is not lost.
func TestD1_14_RedirectedDevices(t *testing.T) {
	story := filepath.Join(t.TempDir(), "moved.feature")
	text := `Feature: Moved
  Scenario: The server sends its devices elsewhere
    Given a fleet "f" of 10 "sensor" devices
    And fleet "f" speaks MQTT 5 with QoS 1
    And fleet "f" publishes to "f/{id}" every 300ms
    When fleet "f" connects evenly over 500ms
    And phase "p" runs for 2s
    Then no message is lost
    And at least 99% of messages are delivered within 1s
`
	if err := os.WriteFile(story, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	suite, err := scenarios.Load([]string{story}, scenarios.Options{Seed: 1, Target: "mqtt://" + sending(t, peers.Mochi(t), peers.Mochi(t))})
	if err != nil {
		t.Fatal(err)
	}
	outcome, err := Run(context.Background(), suite, Config{
		Staff:   Staff{Workers: 1, OnLoss: LossInvalid, Lease: 30 * time.Second, Muster: Mustering},
		Display: Display{W: io.Discard, Quiet: true}, Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	r := outcome.Run.Stories[0]
	if r.Messages.Lost != 0 || r.Messages.Acked == 0 || r.Messages.Unwatched != r.Messages.Acked {
		t.Errorf("%+v", r.Messages)
	}
	for _, f := range r.Findings {
		if f.Verdict != reports.NotJudged || !strings.Contains(f.Note, "to a server that a redirect named") ||
			strings.Contains(f.Note, "named)") {
			t.Errorf("%s: %s, %q", f.Check.Text, f.Verdict, f.Note)
		}
	}
}
