@container
Feature: Subscribers that are away overflow their queue, and the broker admits it
  A broker holds so many messages for a subscriber that is away, and drops the rest, by its setting. That is lawful; to
  say nothing of it is not. Here each panel misses more than its queue holds: what it lost is counted message by message,
  and the broker's own counter must say the same.

  Scenario: Every lost message is one that the broker says it dropped
    Given a mosquitto broker with:
      | setting             | value |
      | max_queued_messages | 100   |
    And a fleet "rooms" of 20 "sensor" devices
    And fleet "rooms" speaks MQTT 3.1.1 with QoS 1
    And fleet "rooms" publishes to "rooms/{id}/climate" every 1s
    And a fleet "panels" of 5 "sensor" devices
    And fleet "panels" publishes nothing
    And fleet "panels" subscribes to "rooms/+/climate" with QoS 1
    And fleet "panels" keeps its session for 1h
    When fleet "panels" connects evenly over 1s
    And fleet "rooms" connects evenly over 2s
    And 4 devices of "panels" go offline for 15s
    And everything is settled within 20s
    And nothing happens for 3s
    Then every lost message is admitted by the broker
    And no message is duplicated
    And "broker" uses at most 64 MB of memory
