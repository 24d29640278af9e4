@bench
Feature: Bench: connections
  The named case "conn". At full size (10,000 clients, 100/s) beside emqtt-bench:
    myriad run features/bench/conn.feature --scale 100 --target mqtt://HOST
    emqtt_bench conn -h HOST -c 10000 -R 100 -k 60
  --scale does not change a rate: at 100/s the 10,000 take 100 s, in both tools.

  Scenario: Clients connect and stay
    Given a fleet "clients" of 100 "sensor" devices
    And fleet "clients" speaks MQTT 5
    And fleet "clients" publishes nothing
    When fleet "clients" connects at 100/s
    And everything is settled within 30s
    And phase "steady" runs for 5s
    Then all devices of "clients" are connected within 3m
    And the p99 connect latency is below 1s
    And no device reconnects more than 0 times
    And the generator kept its schedule within 250ms
