@security @tls
Feature: A fleet with a certificate each
  Every device proves itself with a certificate of its own. Full handshakes are what a broker pays for
  a fleet that comes back, so they are counted, and resumed ones apart from them.

  Scenario: Devices that come back resume their sessions
    Given a fleet "meters" of 200 "sensor" devices
    And fleet "meters" speaks MQTT 5 over TLS with QoS 1
    And every device of "meters" has its own certificate from CA "the run"
    And fleet "meters" resumes its TLS sessions
    And fleet "meters" publishes to "plant/{id}/energy" every 2s with 20% jitter
    And devices reconnect with backoff from 200ms to 2s and 50% jitter
    When fleet "meters" connects evenly over 5s
    And everything is settled within 15s
    And phase "calm" runs for 3s
    And phase "return" starts
    And 50% of "meters" go offline
    And 50% of "meters" come back evenly over 4s
    And phase "return" runs for 5s
    Then exactly 200 full handshakes happen
    And at least 100 sessions are resumed during phase "return"
    And no full handshake happens during phase "return"
    And the p99 handshake latency is below 2s
    And no message is lost
    And the generator kept its schedule within 1s
