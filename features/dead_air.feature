Feature: Dead air
  Field incident: a gateway forgot its table of connections and told nobody. Devices whose keep-alive is longer than the
  gateway remembers, and devices that only ever send, went on for hours on connections that were dead.

  Scenario: Who is cut off notices, and who pings in time is never cut off
    Given the target "virtual"
    And a fleet "quick" of 200 "sensor" devices
    And fleet "quick" publishes to "quick/{id}/state" every 15m
    And fleet "quick" has a keep-alive of 1m
    And fleet "quick" is behind a NAT that forgets after 2m
    And a fleet "slow" of 200 "sensor" devices
    And fleet "slow" publishes to "slow/{id}/state" every 15m
    And fleet "slow" has a keep-alive of 5m
    And fleet "slow" is behind a NAT that forgets after 2m
    And fleet "slow" expects an answer within 20s
    And a fleet "busy" of 100 "sensor" devices
    And fleet "busy" speaks MQTT 5 with QoS 0
    And fleet "busy" publishes to "busy/{id}/state" every 20s
    And fleet "busy" has a keep-alive of 1m
    And fleet "busy" pings when it has heard nothing for 1m
    And devices of "busy" leave the will "gone" on "gone/{id}"
    When fleet "quick" connects evenly over 1m
    And fleet "slow" connects evenly over 1m
    And fleet "busy" connects evenly over 1m
    And phase "on" runs for 1h
    And phase "dead" starts
    And the link of 30% of "busy" is cut for 10m
    And phase "dead" ends
    And phase "back" runs for 5m
    Then no QoS 1 message is lost
    And devices of "quick" try to connect exactly 1 times on average during the run
    And devices of "slow" try to connect at least 5 times on average during phase "on"
    And the p99 publish latency of fleet "slow" is below 1m
    And devices of "busy" try to connect at least 0.3 times on average during phase "dead"
    And all wills of all devices of "busy" are delivered within 100s
    And all devices of "busy" are connected within 3m after phase "back" starts
