@commands
Feature: Commands and their answers
  Valves listen for commands and answer each of them. What counts is the round trip, from the instant
  at which the command was due until the answer is back.

  Scenario: Valves answer, also those that were away for a moment
    Given a fleet "valves" of 200 "sensor" devices
    And fleet "valves" speaks MQTT 5 with QoS 1
    And fleet "valves" publishes to "{fleet}/{id}/state" every 2s with 20% jitter
    And fleet "valves" takes commands on "{fleet}/{id}/commands" and answers on "{fleet}/{id}/answers"
    And fleet "valves" keeps its session for 1h
    And devices reconnect with backoff from 200ms to 2s and 50% jitter
    When fleet "valves" connects evenly over 2s
    And everything is settled within 10s
    And phase "calm" starts
    And command "open" is sent to all devices of "valves" evenly over 5s
    And phase "calm" runs for 1s
    And 10% of "valves" go offline for 2s
    And command "close" is sent to 10% of "valves"
    And phase "after" runs for 6s
    Then the p99 command latency is below 500ms during phase "calm"
    And the p99 observe latency is below 500ms during phase "calm"
    And at least 99% of commands are answered within 5s
    And no message is lost
    And the generator kept its schedule within 1s
