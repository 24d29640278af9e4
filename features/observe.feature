@coap @commands
Feature: Observe
  Displays observe a resource of the CoAP server (RFC 7641). What one sensor reports there reaches all
  of them, and commands reach a device by the path that it observes.

  Scenario Outline: Displays see what the sensor reports over <protocol>, and obey
    Given a fleet "sensor" of 1 "sensor" device
    And fleet "sensor" speaks <protocol> with CON
    And fleet "sensor" publishes to "hall/temperature" every 500ms
    And fleet "sensor" reports by "PUT"
    And a fleet "displays" of 50 "sensor" devices
    And fleet "displays" speaks <protocol> with CON
    And fleet "displays" publishes to "displays/{id}/alive" every 5s with 20% jitter
    And fleet "displays" observes "hall/temperature"
    And fleet "displays" takes commands on "displays/{id}/do" and answers on "displays/{id}/done"
    When fleet "displays" connects evenly over 2s
    And fleet "sensor" connects evenly over 1s
    And everything is settled within 10s
    And phase "show" starts
    And command "dim" is sent to all devices of "displays" evenly over 5s
    And phase "show" runs for 5s
    Then the p99 delivery latency is below 500ms during phase "show"
    And at least 98% of commands are answered within 5s
    And no message is lost
    And the generator kept its schedule within 1s

    Examples:
      | protocol      |
      | CoAP          |
      | CoAP over TCP |
