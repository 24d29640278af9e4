@container
Feature: Authentication is down
  The service that a broker asks who may connect fails, in three ways that are not the same: it answers with errors, it
  hangs, and it is gone. Who is connected must notice nothing; who comes meanwhile is refused, tries again, and is in soon
  after; and those who try again must not be what keeps the service down. RabbitMQ by itself asks anew about each message
  of a device that was silent for a second, and cuts off who may not be asked about: here it keeps what it was told.

  Scenario: The auth service answers with errors, hangs, and is gone
    Given a rabbitmq broker with:
      | setting                      | value  |
      | auth_cache.cache_ttl         | 300000 |
      | auth_http.connection_timeout | 3000   |
      | auth_http.request_timeout    | 3000   |
    And an auth service decides who may connect
    And a fleet "meters" of 200 "sensor" devices
    And fleet "meters" speaks MQTT 3.1.1 with QoS 1
    And fleet "meters" logs in as "{id}" with password "key of {id}"
    And fleet "meters" publishes to "grid/{id}/energy" every 2s
    And a fleet "early" of 60 "sensor" devices
    And fleet "early" speaks MQTT 3.1.1 with QoS 1
    And fleet "early" logs in as "{id}" with password "key of {id}"
    And fleet "early" publishes to "vans/{id}/place" every 2s
    And a fleet "midday" of 60 "sensor" devices
    And fleet "midday" speaks MQTT 3.1.1 with QoS 1
    And fleet "midday" logs in as "{id}" with password "key of {id}"
    And fleet "midday" publishes to "vans/{id}/place" every 2s
    And a fleet "late" of 60 "sensor" devices
    And fleet "late" speaks MQTT 3.1.1 with QoS 1
    And fleet "late" logs in as "{id}" with password "key of {id}"
    And fleet "late" publishes to "vans/{id}/place" every 2s
    And devices reconnect with backoff from 1s to 4s and 100% jitter
    When fleet "meters" connects evenly over 8s
    And everything is settled within 1m
    And phase "before" runs for 5s
    And "auth" answers with errors for 9s meanwhile
    And nothing happens for 1s
    And phase "errors" starts
    And fleet "early" connects evenly over 2s
    And phase "errors" runs for 6s
    And everything is settled within 1m
    And phase "after errors" runs for 4s
    And "auth" is frozen for 9s meanwhile
    And nothing happens for 1s
    And phase "hang" starts
    And fleet "midday" connects evenly over 2s
    And phase "hang" runs for 6s
    And everything is settled within 1m
    And phase "after hang" runs for 4s
    And "auth" is killed and stays down for 9s meanwhile
    And nothing happens for 1s
    And phase "gone" starts
    And fleet "late" connects evenly over 2s
    And phase "gone" runs for 6s
    And everything is settled within 1m
    And phase "after gone" runs for 4s
    Then no device reconnects more than 0 times
    And no operation of fleet "meters" fails
    And no message is lost
    And all devices of "early" are connected within 20s after phase "errors" ends
    And all devices of "midday" are connected within 20s after phase "hang" ends
    And all devices of "late" are connected within 20s after phase "gone" ends
    And "auth" is asked at most 150/s during phase "errors"
    And "auth" is asked at most 600/s
