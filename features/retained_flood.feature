Feature: Dashboards that want everything at once
  Field incident: after an update of the web application all dashboards subscribed to everything that the broker
  keeps. Some brokers stop at a thousand messages, some let the sensors wait meanwhile.

  Scenario: Each of 20 dashboards gets the last value of each of 1,500 sensors, and no sensor notices
    Given a fleet "sensors" of 1,500 "sensor" devices
    And fleet "sensors" speaks MQTT 3.1.1 with QoS 1
    And fleet "sensors" publishes to "site/{id}/climate" every 15s
    And fleet "sensors" publishes retained messages
    And a fleet "boards" of 20 "sensor" devices
    And fleet "boards" publishes nothing
    And fleet "boards" subscribes to "site/+/climate" with QoS 1
    When fleet "sensors" connects evenly over 5s
    And phase "calm" runs for 20s
    And phase "flood" starts
    And fleet "boards" connects evenly over 1s
    And phase "flood" runs for 15s
    Then late subscribers get the last value of "sensors" within 10s
    And every message of "sensors" reaches fleet "boards"
    And no message is lost
    And the p99 publish latency is below 5s during phase "flood"
