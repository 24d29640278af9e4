Feature: How the devices themselves are
  Devices send their readings on two topics, each with an interval of its own, and tell how they are beside it.
  Every message of each kind is accounted for.

  Scenario: Two topics and a health message
    Given a fleet "pumps" of 300 "sensor" devices
    And fleet "pumps" speaks MQTT 5 with QoS 1
    And fleet "pumps" publishes "temperature" to "plant/{id}/temperature" every 1s
    And fleet "pumps" publishes "humidity" to "plant/{id}/humidity" every 4s with 20% jitter
    And fleet "pumps" reports its health to "plant/{id}/health" every 3s
    When fleet "pumps" connects evenly over 2s
    And phase "steady" runs for 5s
    And 10% of "pumps" go offline for 2s
    And phase "after" runs for 3s
    Then no message is lost
    And no message is duplicated
    And every device's messages arrive in order
    And health is heard of 100% of all devices of "pumps" within 6s
    And the p99 publish latency is below 2s during phase "steady"
