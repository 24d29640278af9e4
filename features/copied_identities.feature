Feature: Copied identities
  A copied image, a serial number used twice, a stolen credential: two clients show the identity of one device. The broker
  has to close the older connection whenever the other one calls, both call again, and so on for ever. From the outside it
  looks like devices that lose their connections now and then. So the report names the pairs. MQTT 5 says to the loser why
  it was thrown off (0x8E, session taken over); MQTT 3.1.1 only closes, and a pair is known by the moments.

  # Its mutant is the same story with `And fleet "rooms" has 5 devices whose identity is copied`: it must fail, and name them.
  Scenario: Every identity is one device's
    Given a fleet "rooms" of 200 "sensor" devices
    And fleet "rooms" speaks MQTT 5 with QoS 1
    And fleet "rooms" publishes to "rooms/{id}/climate" every 2s
    And devices reconnect with backoff from 200ms to 2s and 50% jitter
    When fleet "rooms" connects evenly over 2s
    And everything is settled within 10s
    And phase "steady" runs for 5s
    Then no device holds two sessions
    And no session of all devices of "rooms" is taken over
    And no message is lost

  Scenario: Thieves take the sessions of some devices, and nobody else notices
    Given a fleet "rooms" of 200 "sensor" devices
    And fleet "rooms" speaks MQTT 5 with QoS 1
    And fleet "rooms" publishes to "rooms/{id}/climate" every 2s
    And a fleet "meters" of 50 "sensor" devices
    And fleet "meters" speaks MQTT 5 with QoS 1
    And fleet "meters" publishes to "meters/{id}/power" every 2s
    And devices reconnect with backoff from 200ms to 2s and 50% jitter
    When fleet "rooms" connects evenly over 2s
    And fleet "meters" connects evenly over 1s
    And a hostile client uses the identity of 5 devices of "rooms" for 5s
    And everything is settled within 20s
    And nothing happens for 2s
    Then no session of all devices of "meters" is taken over
    And no message is lost
