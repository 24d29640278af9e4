@smoke
Feature: Quickstart
  A thousand sensors on MQTT and two hundred on CoAP come to life and report. It takes about
  twenty seconds and needs nothing but this program: the broker and the CoAP server are inside.

  Scenario: A small fleet reports on time and nothing gets lost
    Given the fleets:
      | name   | count | model  | protocol   | qos   | every | jitter |
      | rooms  | 1,000 | sensor | MQTT 3.1.1 | QoS 1 | 2s    | 20%    |
      | meters | 200   | sensor | CoAP       | CON   | 1s    | 20%    |
    When fleet "rooms" connects evenly over 4s
    And fleet "meters" connects evenly over 2s
    And everything is settled within 10s
    And phase "steady" runs for 12s
    Then all devices of "rooms" are connected within 20s
    And all devices of "meters" are connected within 20s
    And the p99 publish latency is below 1s during phase "steady"
    And the p99 end-to-end latency is below 1s during phase "steady"
    And no message is lost
    And every device's messages arrive in order
    And the generator kept its schedule within 1s
