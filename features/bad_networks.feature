Feature: Bad networks
  Meters report over LTE-M. A cell flaps, some meters roam to NB-IoT, where a round trip takes 1.6 s, and for a while all
  of the rest see three times the latency. In virtual time it takes seconds; against a broker of yours, with --target,
  a quarter of an hour.

  Scenario: A cell flaps, and meters roam
    Given the target "virtual"
    And a fleet "meters" of 500 "sensor" devices
    And fleet "meters" is on an LTE-M network
    And fleet "meters" speaks MQTT 5 with QoS 1
    And fleet "meters" publishes to "grid/{id}/load" every 10s
    When fleet "meters" connects evenly over 30s
    And phase "calm" runs for 3m
    And 20% of "meters" flap every 40s for 3m
    And 10% of "meters" move to an NB-IoT network
    And phase "roaming" runs for 2m
    And all devices of "meters" see 150ms latency and 5% packet loss for 2m
    And phase "after" runs for 2m
    Then no message is lost
    And the median publish latency is below 120ms during phase "calm"
    And the p95 publish latency is above 1600ms during phase "roaming"
    And the max publish latency is below 30s
