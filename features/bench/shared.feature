@bench
Feature: Bench: shared subscription
  The named case "sharedsub": many publishers, a few subscribers that share one subscription (MQTT 5).
  At 1,000 publishers and 5 subscribers beside emqtt-bench:
    myriad run features/bench/shared.feature --scale 10 --target mqtt://HOST
    emqtt_bench sub -h HOST -V 5 -c 10 -t '$share/g/shared/+' -q 1
    emqtt_bench pub -h HOST -V 5 -c 1000 -t shared/%i -q 1 -I 1000 -s 16
  At that scale there are 10 subscribers in both lines.

  Scenario: A few take what many send
    Given a fleet "sources" of 100 "sensor" devices
    And fleet "sources" speaks MQTT 5 with QoS 1
    And fleet "sources" publishes to "shared/{id}" every 1s
    And a fleet "sinks" of 1 "sensor" device
    And fleet "sinks" speaks MQTT 5
    And fleet "sinks" publishes nothing
    And fleet "sinks" subscribes to "$share/g/shared/+" with QoS 1
    When fleet "sinks" connects evenly over 1s
    And fleet "sources" connects evenly over 2s
    And everything is settled within 30s
    And phase "steady" runs for 10s
    Then the p99 delivery latency is below 1s during phase "steady"
    And the p99 publish latency is below 1s during phase "steady"
    And no message is lost
    And the generator kept its schedule within 250ms
