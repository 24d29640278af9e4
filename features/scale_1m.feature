@scale
Feature: A million devices by one command
  For 53 brokers of yours, or as many as your limit of descriptors asks for, on a machine with nothing else
  to do: `myriad run features/scale_1m.feature --target mqtt://HOST:1,HOST:2,...`. The embedded broker would
  take 78 GB. `myriad doctor` says beforehand whether the devices fit. A keep-alive that is longer than the
  reports are apart costs nothing; with the default of a minute, a million devices would ping 17,000
  times a second.

  Scenario: Everybody connects, and reports every ten minutes
    Given a fleet "meters" of 1,000,000 "sensor" devices
    And fleet "meters" speaks MQTT 3.1.1 with QoS 1
    And fleet "meters" has a keep-alive of 20m
    And fleet "meters" publishes to "grid/{id}/energy" every 10m
    When fleet "meters" connects at 5,000/s
    And everything is settled within 60s
    And phase "steady" runs for 60s
    And everything is settled within 60s
    Then all devices of "meters" are connected within 5m
    And no device reconnects more than 0 times
    And no message is lost
    And no message is duplicated
    And the generator kept its schedule within 250ms
