@qos2
Feature: Exactly once
  With QoS 2 the two sides remember each message until both know that it arrived. Devices that lose
  power and a broker that freezes must neither lose nor double one. A broker that is killed and keeps
  nothing on disk may double what it had taken and not yet confirmed, so there only loss is claimed.

  Background:
    Given a fleet "meters" of 100 "sensor" devices
    And fleet "meters" speaks MQTT 5 with QoS 2
    And fleet "meters" publishes to "plant/{id}/energy" every 500ms with 20% jitter
    And fleet "meters" keeps its session for 1h
    And "sensor" devices buffer up to 200 messages offline and drop the oldest
    And devices reconnect with backoff from 200ms to 2s and 50% jitter

  Scenario: Devices lose power and the broker freezes
    When fleet "meters" connects evenly over 2s
    And everything is settled within 10s
    And phase "trouble" starts
    And 30% of "meters" lose power without a disconnect
    And 30% of "meters" come back evenly over 2s
    And "broker" is frozen for 2s
    And phase "trouble" runs for 6s
    Then no QoS 2 message is lost
    And no message is duplicated
    And the p99 pubrec latency is below 5s
    And the p99 pubcomp latency is below 5s
    And the generator kept its schedule within 1s

  Scenario: The broker is killed
    When fleet "meters" connects evenly over 2s
    And everything is settled within 10s
    And phase "trouble" starts
    And "broker" is killed and stays down for 2s
    And phase "trouble" runs for 8s
    Then no QoS 2 message is lost
    And everything recovers within 10s of phase "trouble"
    And the generator kept its schedule within 1s
