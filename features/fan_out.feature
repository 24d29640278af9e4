@load
Feature: Fan-out
  One announcement for everybody: the broker multiplies each message by the number of its listeners.

  Scenario: Two hundred displays hear one clock
    Given a fleet "clock" of 1 "sensor" device
    And fleet "clock" publishes to "hall/clock" every 500ms
    And a fleet "displays" of 200 "sensor" devices
    And fleet "displays" speaks MQTT 5
    And fleet "displays" publishes nothing
    And fleet "displays" subscribes to "hall/clock" with QoS 1
    When fleet "displays" connects evenly over 2s
    And fleet "clock" connects evenly over 1s
    And everything is settled within 10s
    And phase "steady" runs for 10s
    Then the p99 delivery latency is below 1s during phase "steady"
    And every message of "clock" reaches fleet "displays"
    And no message for all devices of "displays" is duplicated
    And no message is lost
    And the generator kept its schedule within 1s
