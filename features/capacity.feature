@container
Feature: How many meters a broker carries
  Before a site is built somebody has to know what its broker can bear. Here it is a Mosquitto that may use a twentieth of
  one processor. The fleet grows until meters wait for their acknowledgements, and the report says with how many of them
  all was still well: the last good load.

  Scenario: A broker with a twentieth of a processor
    Given a mosquitto broker in a container
    And the limits of "broker":
      | cpu | memory |
      | 5%  | 64 MB  |
    And a fleet "meters" of 2,000 "sensor" devices
    And fleet "meters" speaks MQTT 3.1.1 with QoS 1
    And fleet "meters" publishes to "grid/{id}/energy" every 500ms
    When fleet "meters" grows by 200 devices every 5s until an objective breaks:
      | metric  | percentile | limit |
      | publish | p99        | 300ms |
      | connect | p99        | 4s    |
    Then the target carries at least 200 devices of "meters"
    And no message is lost
