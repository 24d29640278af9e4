@load
Feature: Fan-in
  Many devices report, and a few workers share what comes (shared subscription).

  Scenario: Five workers take what three hundred meters send
    Given a fleet "meters" of 300 "sensor" devices
    And fleet "meters" publishes to "plant/{id}/energy" every 1s with 20% jitter
    And a fleet "workers" of 5 "sensor" devices
    And fleet "workers" speaks MQTT 5
    And fleet "workers" publishes nothing
    And fleet "workers" subscribes to "$share/backend/plant/+/energy" with QoS 1
    When fleet "workers" connects evenly over 1s
    And fleet "meters" connects evenly over 3s
    And everything is settled within 10s
    And phase "steady" runs for 10s
    Then the p99 delivery latency is below 1s during phase "steady"
    And the p99 publish latency is below 1s during phase "steady"
    And each message of "meters" reaches exactly one device of "workers"
    And no message is lost
    And the generator kept its schedule within 1s
