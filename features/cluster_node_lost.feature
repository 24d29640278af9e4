@container
Feature: A cluster loses a node, and no message
  A cluster is there so that the loss of one machine is nobody's loss. RabbitMQ keeps the session of an MQTT subscriber as
  a queue on one node, unless its setting says that it is a quorum queue: that one has a copy on each node, and a message
  is acknowledged to its publisher when most nodes have it. Here a node dies under 2,000 meters and comes back.

  Scenario: One of three nodes dies under 2,000 devices
    Given a cluster of 3 rabbitmq brokers behind a load balancer with:
      | setting                    | value          |
      | mqtt.durable_queue_type    | quorum         |
      | cluster_partition_handling | pause_minority |
    And a fleet "meters" of 2,000 "sensor" devices
    And fleet "meters" speaks MQTT 3.1.1 with QoS 1
    And fleet "meters" publishes to "meters/{id}/energy" every 1m
    And a fleet "billing" of 2 "sensor" devices
    And fleet "billing" speaks MQTT 3.1.1 with QoS 1
    And fleet "billing" publishes nothing
    And fleet "billing" subscribes to "meters/+/energy" with QoS 1
    And fleet "billing" keeps its session for 1h
    And devices reconnect with backoff from 10s to 40s and 50% jitter
    When fleet "billing" connects evenly over 1s
    And fleet "meters" connects evenly over 40s
    And phase "three nodes" runs for 8s
    And broker node 2 is lost
    And phase "two nodes" runs for 30s
    And broker node 2 rejoins
    And phase "three again" runs for 10s
    And everything is settled within 2m
    Then no message is lost
    And every message of "meters" reaches fleet "billing"
    And all devices of "meters" are connected within 90s after phase "two nodes" starts
    And everything recovers within 2m of phase "two nodes"
