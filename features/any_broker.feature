@smoke @mqtt
Feature: Any MQTT broker carries a small fleet
  Needs nothing of its target but MQTT, so it is the first story for a broker of your own:
  myriad run features/any_broker.feature --target mqtt://127.0.0.1:1883

  Scenario Outline: A hundred sensors speak <protocol> with <qos>
    Given a fleet "sensors" of 100 "sensor" devices
    And fleet "sensors" speaks <protocol> with <qos>
    And fleet "sensors" publishes to "myriad/{fleet}/{id}" every 500ms with 10% jitter
    When fleet "sensors" connects evenly over 1s
    And everything is settled within 10s
    And phase "steady" runs for 4s
    Then all devices of "sensors" are connected within 10s
    And the p99 end-to-end latency is below 1s during phase "steady"
    And no message is lost
    And every device's messages arrive in order
    And the generator kept its schedule within 1s

    Examples:
      | protocol   | qos   |
      | MQTT 3.1.1 | QoS 1 |
      | MQTT 5     | QoS 1 |
      | MQTT 3.1.1 | QoS 0 |
