@scale
Feature: A hundred thousand devices by one command
  For a machine with nothing else to do: `myriad run features/scale_100k.feature`. Worker and broker
  processes are started as the number of connections needs them; `myriad doctor` says beforehand
  whether it fits.

  Scenario: Everybody connects, and reports every half minute
    Given a fleet "meters" of 100,000 "sensor" devices
    And fleet "meters" speaks MQTT 3.1.1 with QoS 1
    And fleet "meters" publishes to "grid/{id}/energy" every 30s with 20% jitter
    And devices reconnect with backoff from 1s to 30s and 100% jitter
    When fleet "meters" connects at 5,000/s
    And everything is settled within 60s
    And phase "steady" runs for 90s
    Then all devices of "meters" are connected within 30s
    And the p99 connect latency is below 2s
    And the p99.9 publish latency is below 1s during phase "steady"
    And no device reconnects more than 0 times
    And no message is lost
    And no message is duplicated
    And the generator kept its schedule within 250ms
