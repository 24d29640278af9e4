@security @coap
Feature: A NAT forgets its devices
  Behind a NAT a silent device gets a new address every few minutes. With a Connection ID (RFC 9146)
  the DTLS session goes on; without one the server does not know who speaks, and the device has to
  shake hands again.

  Background:
    Given a fleet "meters" of 100 "sensor" devices
    And fleet "meters" speaks CoAP over DTLS with CON
    And every device of "meters" has its own pre-shared key
    And fleet "meters" publishes to "meters/{id}" every 1s with 20% jitter
    And fleet "meters" repeats messages up to 2 times, first after 500ms
    And devices reconnect with backoff from 200ms to 2s and 50% jitter

  Scenario: With a Connection ID nobody shakes hands again
    Given fleet "meters" uses a Connection ID
    When fleet "meters" connects evenly over 3s
    And everything is settled within 10s
    And phase "rebound" starts
    And all devices of "meters" get a new IP address
    And phase "rebound" runs for 8s
    Then exactly 100 full handshakes happen
    And no full handshake happens during phase "rebound"
    And no message is lost
    And the generator kept its schedule within 1s

  Scenario: Without one every device does
    When fleet "meters" connects evenly over 3s
    And everything is settled within 10s
    And phase "rebound" starts
    And all devices of "meters" get a new IP address
    And phase "rebound" runs for 20s
    Then at least 100 full handshakes happen during phase "rebound"
    And everything recovers within 20s of phase "rebound"
    And no message is lost
    And the generator kept its schedule within 1s
