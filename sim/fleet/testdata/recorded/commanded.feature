Feature: Commanded
  Three kinds of devices are told what to do, some of them while they are away or without power.

  Scenario: Commands reach those that listen
    Given the device model "door" reports:
      | signal | unit | follows                       |
      | open   | -    | step between 0 and 1 every 2s |
      | cycles | -    | random walk from 100 by 3     |
    And "door" devices encode as "template"
      """
      {id};{seq};{time};{unix};{open};{cycles};{stamp}
      """
    And a fleet "doors" of 30 "door" devices
    And fleet "doors" speaks MQTT 5 with QoS 1
    And fleet "doors" publishes to "doors/{id}/state" every 2s with 20% jitter
    And fleet "doors" keeps its session for 1h
    And fleet "doors" takes commands on "doors/{id}/do" and answers on "doors/{id}/done"
    And a fleet "gates" of 20 "sensor" devices
    And fleet "gates" speaks MQTT 3.1.1 with QoS 2
    And fleet "gates" publishes nothing
    And fleet "gates" keeps its session for 1h
    And fleet "gates" takes commands on "{fleet}/{id}/do" and answers on "{fleet}/{id}/done"
    And a fleet "lamps" of 20 "sensor" devices
    And fleet "lamps" speaks CoAP over TCP with CON
    And fleet "lamps" publishes to "lamps/{id}/alive" every 3s
    And fleet "lamps" takes commands on "lamps/{id}/do" and answers on "lamps/{id}/done"
    And devices reconnect like "paho-go-default"
    When fleet "doors" connects evenly over 1s
    And fleet "gates" connects evenly over 1s
    And fleet "lamps" connects evenly over 1s
    And everything is settled within 10s
    And phase "told" starts
    And command "open" is sent to all devices of "doors" evenly over 3s
    And command "open" is sent to 50% of "gates" in bursts over 2s
    And command "dim" is sent to all devices of "lamps" exponentially over 2s
    And phase "told" runs for 1s
    And phase "away" starts
    And 40% of "doors" go offline
    And 40% of "gates" go offline
    And 20% of "doors" lose power without a disconnect
    And phase "away" runs for 1s
    And command "close" is sent to all devices of "doors"
    And command "close" is sent to all devices of "gates"
    And command "dim" is sent to device "lamps-3"
    And phase "back" starts
    And 40% of "doors" come back evenly over 2s
    And 40% of "gates" come back evenly over 1s
    And phase "back" runs for 4s
    And command "lock" is sent to all devices of "doors"
    And command "lock" is sent to all devices of "gates"
    And phase "unanswered" runs for 150ms
    And "broker" restarts
    And phase "restart" runs for 4s
    Then at least 10% of commands are answered within 5s
