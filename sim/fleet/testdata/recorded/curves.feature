Feature: Curves
  Devices that come in waves, and rates that change along every curve, with all laws of signals.

  Scenario: Rates follow curves
    Given the device model "pump" reports:
      | signal   | unit  | follows                                      |
      | pressure | Pa    | sine around 300 by 40 every 10s with noise 2 |
      | flow     | m3    | random walk from 5 by 0.5 between 0 and 10   |
      | valve    | -     | step between 0 and 1 every 3s                |
      | speed    | 1/min | constant 1450 with noise 5                   |
      | load     | W     | column watts of load.csv                     |
    And "pump" devices encode as "cbor"
    And a fleet "pumps" of 40 "pump" devices
    And fleet "pumps" speaks MQTT 5 with QoS 0
    And fleet "pumps" publishes to "pumps/{id}/state" every 800ms with 100% jitter
    And a fleet "gauges" of 30 "sensor" devices
    And fleet "gauges" speaks CoAP with NON
    And fleet "gauges" publishes to "gauges/{id}" every 1100ms
    When fleet "pumps" connects in bursts over 3s
    And fleet "gauges" connects following "arrivals.csv" over 4s
    And everything is settled within 10s
    And the load follows:
      | over | to    | curve         |
      | 2s   | 160/s | evenly        |
      | 2s   | 40/s  | in bursts     |
      | 1s   | 0/s   | evenly        |
      | 2s   | 80/s  | -             |
    And the publish rate goes exponentially from 80/s to 240/s over 3s
    And phase "rush" runs for 2s
    And the publish rate goes following "arrivals.csv" from 240/s to 20/s over 3s
    And phase "calm" runs for 4s
    Then no message is lost
