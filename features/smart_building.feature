@load @building
Feature: Smart building
  Room sensors report over CoAP all day long; lights are on MQTT 5 and follow the people. In the
  morning everybody arrives within minutes: the data must stay fresh while the rate triples.

  Background:
    Given the device model "room" reports:
      | signal      | unit | follows                                      |
      | temperature | Cel  | sine around 21 by 3 every 24h with noise 0.2 |
      | humidity    | %RH  | random walk from 45 by 0.5 between 20 and 80 |
      | presence    | -    | step between 0 and 1 every 10m               |
    And "room" devices encode as "senml+cbor"
    And the fleets:
      | name   | count | model  | protocol | qos   | every | topic                        | jitter |
      | rooms  | 200   | room   | CoAP     | CON   | 2s    | building/rooms/{id}/climate  | 20%    |
      | lights | 100   | sensor | MQTT 5   | QoS 1 | 2s    | building/lights/{id}/power   | 20%    |
    And a warm-up of 2s that is not measured

  Scenario: The morning rush keeps the data fresh
    Given throughout the run the p99 storage latency over any 10s stays below 3s
    When fleet "rooms" connects evenly over 3s
    And fleet "lights" connects in bursts over 2s
    And everything is settled within 15s
    And phase "quiet" runs for 8s
    And phase "rush" starts
    And the publish rate goes exponentially from 150/s to 450/s over 5s
    And phase "rush" runs for 8s
    Then the objectives hold:
      | metric     | percentile | limit | window               |
      | storage    | p50        | 300ms | during phase "quiet" |
      | storage    | p99        | 1.5s  | during phase "rush"  |
      | end-to-end | p99        | 1.5s  | during phase "rush"  |
      | publish    | p99        | 1.5s  | during phase "rush"  |
    And at least 99.9% of messages are delivered within 5s
    And no message is lost
    And every device's messages arrive in order
    And the generator kept its schedule within 1s

  Scenario: A floor goes dark and comes back
    When fleet "rooms" connects evenly over 3s
    And fleet "lights" connects evenly over 2s
    And phase "steady" runs for 4s
    And phase "dark" starts
    And 25% of "rooms" lose power without a disconnect
    And 30 devices of "lights" go offline for 4s
    And 25% of "rooms" come back in bursts over 2s
    And phase "dark" runs for 5s
    Then everything recovers within 11s of phase "dark"
    And all devices of "lights" are connected within 10s after phase "dark" starts
    And all devices of "rooms" are connected within 11s after phase "dark" starts
    And no message is lost
    And the generator kept its schedule within 1s
