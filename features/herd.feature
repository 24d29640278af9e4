Feature: The herd
  Field incident: a broker lost its listener again and again, and each time every meter came back at once. Most spread
  themselves; some use a library that does not, and some wait the same time each.

  Scenario: After three cuts everybody is back within three minutes, and calls no more than it must
    Given the target "virtual"
    And a fleet "new" of 800 "sensor" devices
    And a fleet "old" of 140 "sensor" devices
    And a fleet "fixed" of 60 "sensor" devices
    And fleet "new" reconnects with backoff from 1s to 60s and 100% jitter
    And fleet "old" reconnects like "paho-go-default"
    And fleet "fixed" reconnects like "fixed-10s"
    And fleet "new" is on an LTE-M network
    When fleet "new" connects evenly over 1m
    And fleet "old" connects evenly over 10s
    And fleet "fixed" connects evenly over 10s
    And phase "steady" runs for 2m
    And phase "cuts" starts
    And "broker" is killed and stays down for 15s
    And nothing happens for 45s
    And "broker" is killed and stays down for 15s
    And nothing happens for 45s
    And "broker" is killed and stays down for 15s
    And phase "cuts" ends
    And phase "after" runs for 4m
    Then everything recovers within 3m of phase "after"
    And all devices of "new" are connected within 3m after phase "after" starts
    And no message is lost
    And no device reconnects more than 3 times
    And devices of "new" try to connect at most 14 times on average during phase "cuts"
    And the peak of the connect rate of fleet "new" is at most 40 times its mean during phase "after"
    And the p99 publish latency of fleet "new" is below 5s in the last 2m
