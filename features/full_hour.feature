Feature: All meters report at the full quarter of an hour
  Fleets are seldom spread evenly: firmware that reports at :00, :15, :30 and :45 makes a burst out of an average that
  looks harmless. The clocks of the meters are off by up to 3 seconds, which is all that spreads it.

  Scenario: An hour of bursts
    Given the target "virtual"
    And a fleet "meters" of 2,000 "sensor" devices
    And fleet "meters" publishes to "grid/{id}/energy" at every full 15m, with clocks off by up to 3s
    When fleet "meters" connects evenly over 1m
    And phase "hour" runs for 1h
    And everything is settled within 1m
    Then a device of "meters" uses at most 100 kB a day
    And no message is lost
    And no message is duplicated
    And at least 99.9% of messages are delivered within 5s
