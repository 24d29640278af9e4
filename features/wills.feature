@load
Feature: Wills
  A broker speaks for a device that is gone: it publishes the will that the device left with it, and not for one that
  said goodbye.

  Scenario: Power cuts are announced, goodbyes are not
    Given a fleet "pumps" of 100 "sensor" devices
    And fleet "pumps" publishes to "plant/{id}/state" every 1s
    And fleet "pumps" has a keep-alive of 2s
    And devices of "pumps" leave the will "gone" on "plant/{id}/alarm"
    And a fleet "gates" of 50 "sensor" devices
    And fleet "gates" publishes nothing
    And devices of "gates" leave the will "gone" on "plant/{id}/alarm"
    When fleet "pumps" connects evenly over 1s
    And fleet "gates" connects evenly over 1s
    And phase "steady" runs for 2s
    And 10% of "pumps" lose power without a disconnect
    And all devices of "gates" go offline for 2s
    And phase "dark" runs for 5s
    And 10% of "pumps" come back evenly over 1s
    And phase "aftermath" runs for 2s
    Then all wills of all devices of "pumps" are delivered within 6s
    And no will is published for all devices of "gates"
    And no message is lost
    And the generator kept its schedule within 1s
