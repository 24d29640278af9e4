Feature: A weekend
  A weekend in a minute: the story's own target is a broker and a network in memory, and time in it is virtual. What is
  counted is as exact as in real time; latencies are those of the model, and the result says so. Run it at a real
  broker with --target, if you have 48 hours.

  Scenario: Shops are closed from Friday to Sunday, and on Saturday night the broker is down for two hours
    Given the target "virtual"
    And a fleet "sensors" of 800 "sensor" devices
    And a fleet "shops" of 200 "sensor" devices
    And fleet "sensors" has a keep-alive of 20m
    And fleet "sensors" publishes to "site/{id}/climate" every 5m
    And fleet "shops" has a keep-alive of 20m
    And fleet "shops" publishes to "shop/{id}/climate" every 5m
    And "sensor" devices buffer up to 30 messages offline and drop the oldest
    When fleet "sensors" connects evenly over 10m
    And fleet "shops" connects evenly over 10m
    And all devices of "shops" go offline for 40h meanwhile
    And phase "Friday night" runs for 30h
    And "broker" is killed and stays down for 2h
    And phase "Sunday" runs for 16h
    Then no message is lost
    And the p99 publish latency of fleet "sensors" is below 1s during phase "Friday night"
    And the rate of accepted connects of fleet "sensors" never exceeds 200/s
    And all devices of "shops" are connected within 10h after phase "Sunday" starts
