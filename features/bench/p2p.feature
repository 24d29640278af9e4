@bench
Feature: Bench: point to point
  The named case "p2p": a subscriber for each publisher, 1 message of QoS 1 a second each. Here each
  device hears its own topic, so there are half as many connections as in emqtt-bench for the same
  messages. At 1,000 beside it:
    myriad run features/bench/p2p.feature --scale 10 --target mqtt://HOST
    emqtt_bench sub -h HOST -c 1000 -t p2p/%i -q 1
    emqtt_bench pub -h HOST -c 1000 -t p2p/%i -q 1 -I 1000 -s 16

  Scenario: Each message goes to one listener
    Given a fleet "pairs" of 100 "sensor" devices
    And fleet "pairs" speaks MQTT 5 with QoS 1
    And fleet "pairs" publishes to "p2p/{id}" every 1s
    And fleet "pairs" subscribes to "p2p/{id}" with QoS 1
    When fleet "pairs" connects evenly over 2s
    And everything is settled within 30s
    And phase "steady" runs for 10s
    Then the p99 publish latency is below 1s during phase "steady"
    And the p99 end-to-end latency is below 1s during phase "steady"
    And no message is lost
    And the generator kept its schedule within 250ms
