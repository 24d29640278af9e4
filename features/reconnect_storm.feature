@chaos @reconnect
Feature: Reconnect storm after a broker restart
  Field incident: the broker was down for some seconds, and then every meter came back at once.
  The meters keep what they measure while nobody listens, so that nothing may be missing afterwards.
  What is due in the very last moment before the kill waits for the broker too: hence the "eve". The probe loses
  its subscription as well, so it does not see what the broker takes before the probe is back: hence "of those answered".

  Scenario Outline: The plant survives when its meters are <manner>
    Given a fleet "meters" of 300 "sensor" devices
    And fleet "meters" speaks MQTT 3.1.1 with QoS 1
    And fleet "meters" publishes to "plant/meters/{id}/energy" every 2s with 20% jitter
    And fleet "meters" keeps its session for 1h
    And "sensor" devices buffer up to 60 messages offline and drop the oldest
    And devices reconnect <policy>
    When fleet "meters" connects evenly over 3s
    And everything is settled within 10s
    And phase "steady" runs for 5s
    And phase "eve" runs for 1s
    And phase "storm" starts
    And "broker" is killed and stays down for 4s
    And phase "storm" runs for 12s
    Then 99% of "meters" are connected within 14s after phase "storm" starts
    And everything recovers within 15s of phase "storm"
    And no QoS 1 message is lost
    And the p99 end-to-end latency is below 1.5s during phase "steady"
    And the max end-to-end latency of those answered is below 14s during phase "storm"
    And no device reconnects more than 2 times
    And the generator kept its schedule within 1s

    Examples:
      | manner   | policy                                         |
      | naive    | like "fixed-5s"                                |
      | jittered | with backoff from 500ms to 4s and 100% jitter  |
