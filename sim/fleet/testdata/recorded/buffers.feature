Feature: Buffers
  What devices keep while they cannot send, and what they send again afterwards.

  Background:
    Given the device model "ring" reports:
      | signal | unit | follows     |
      | level  | %    | constant 42 |
    And "ring" devices buffer up to 4 messages offline and drop the oldest
    And the device model "heap" reports:
      | signal | unit | follows                                     |
      | level  | %    | random walk from 50 by 2 between 0 and 100 |
    And "heap" devices buffer up to 3 messages offline and drop the newest
    And "heap" devices encode as "senml+json"
    And the fleets:
      | name  | count | model | protocol   | qos   | every | topic              | jitter |
      | rings | 30    | ring  | MQTT 3.1.1 | QoS 1 | 500ms | rings/{id}/level   | 40%    |
      | heaps | 30    | heap  | MQTT 5     | QoS 2 | 500ms | {fleet}/{id}/level | 40%    |
      | piles | 20    | heap  | CoAP       | CON   | 700ms | piles/{id}         | 10%    |
    And fleet "heaps" keeps its session for 1h
    And fleet "heaps" publishes retained messages
    And devices of "rings" leave the will "gone" on "rings/{id}/state"

  Scenario: Absences
    Given devices reconnect with backoff from 300ms to 3s and 100% jitter
    When fleet "rings" connects evenly over 1s
    And fleet "heaps" connects exponentially over 2s
    And fleet "piles" connects at 20/s
    And everything is settled within 10s
    And phase "absent" starts
    And 40% of "rings" go offline
    And 10 devices of "heaps" go offline for 4s
    And device "piles-7" goes offline for 2s
    And phase "absent" runs for 3s
    And 40% of "rings" come back in bursts over 1s
    And phase "dark" starts
    And 30% of "rings" lose power without a disconnect
    And 30% of "heaps" lose power without a disconnect
    And 5 devices of "piles" lose power without a disconnect
    And phase "dark" runs for 2s
    And 30% of "rings" come back evenly over 1s
    And 30% of "heaps" come back exponentially over 1s
    And 5 devices of "piles" come back evenly over 1s
    And phase "after" runs for 3s
    And 20% of "rings" get a new IP address
    And 20% of "piles" get a new IP address
    And phase "moved" runs for 2s
    Then everything recovers within 12s of phase "dark"

  Scenario: The services stop
    Given devices reconnect with backoff from 300ms to 3s and 50% jitter
    When fleet "rings" connects evenly over 1s
    And fleet "heaps" connects evenly over 2s
    And fleet "piles" connects evenly over 1s
    And everything is settled within 10s
    And phase "restart" starts
    And "broker" restarts
    And phase "restart" runs for 3s
    And "broker" is frozen for 2s
    And phase "frozen" runs for 4s
    And "coap" is killed and stays down for 2s
    And phase "half" runs for 3s
    And "broker" is killed and stays down for 3s
    And phase "killed" runs for 5s
    Then everything recovers within 12s of phase "killed"
