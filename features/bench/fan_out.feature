@bench
Feature: Bench: fan-out
  The named case "fan-out": one publisher, 1,000 subscribers. Beside emqtt-bench:
    myriad run features/bench/fan_out.feature --target mqtt://HOST
    emqtt_bench sub -h HOST -c 1000 -t fan/out -q 1
    emqtt_bench pub -h HOST -c 1 -t fan/out -q 1 -I 1000 -s 16
  Without --scale, which would multiply the source too.

  Scenario: One message reaches everybody
    Given a fleet "source" of 1 "sensor" device
    And fleet "source" speaks MQTT 5 with QoS 1
    And fleet "source" publishes to "fan/out" every 1s
    And a fleet "sinks" of 1,000 "sensor" devices
    And fleet "sinks" speaks MQTT 5
    And fleet "sinks" publishes nothing
    And fleet "sinks" subscribes to "fan/out" with QoS 1
    When fleet "sinks" connects evenly over 4s
    And fleet "source" connects evenly over 1s
    And everything is settled within 30s
    And phase "steady" runs for 10s
    Then the p99 delivery latency is below 1s during phase "steady"
    And no message is lost
    And the generator kept its schedule within 250ms
