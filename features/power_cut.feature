Feature: A site loses its power
  Field incident: the mains of a site fail, and 300 of 1,000 meters vanish without a word. Some are back before their
  broker notices; the others stay dark, and the broker must speak for each of them once: who reads the wills must see
  what is true. When the mains return, they must not all come at once.

  Scenario: One will for each meter that stays dark, none for those that are back in time
    Given the target "virtual"
    And a fleet "meters" of 1,000 "sensor" devices
    And fleet "meters" speaks MQTT 5 with QoS 1
    And fleet "meters" has a keep-alive of 20s
    And fleet "meters" keeps its session for 1h
    And fleet "meters" publishes to "plant/{id}/energy" every 1m with 20% jitter
    And devices of "meters" leave the will "dark" on "plant/{id}/state", delayed by 30s
    And "sensor" devices keep buffered messages without power
    And devices reconnect with backoff from 1s to 60s and 100% jitter
    When fleet "meters" connects evenly over 2m
    And phase "steady" runs for 5m
    And phase "cut" starts
    And 30% of "meters" lose power without a disconnect
    And 9% of "meters" come back evenly over 4s
    And phase "cut" runs for 3m
    And phase "mains" starts
    And 30% of "meters" come back evenly over 2m
    And phase "mains" runs for 5m
    Then all wills of all devices of "meters" are delivered within 70s
    And no message is lost
    And no message is duplicated
    And all devices of "meters" are connected within 3m after phase "mains" starts
    And the rate of accepted connects never exceeds 12/s during phase "mains"
    And no device reconnects more than 1 time
