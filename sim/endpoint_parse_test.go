package sim

import (
	"errors"
	"strings"
	"testing"
)

func TestEndpointNotation(t *testing.T) {
	const alone = "" // no scheme is assumed
	for _, c := range []struct {
		text    string
		assumed Scheme
		want    string // scheme and address
	}{
		{"broker", SchemeMQTT, "mqtt://broker:1883"},
		{"broker:1884", SchemeMQTT, "mqtt://broker:1884"},
		{"10.0.0.5", SchemeCoAPS, "coaps://10.0.0.5:5684"},
		{"[::1]", SchemeMQTT, "mqtt://[::1]:1883"},
		{"[2001:db8::7]:7", SchemeCoAP, "coap://[2001:db8::7]:7"},
		{"mqtt://[fe80::1%eth0]:7", alone, "mqtt://[fe80::1%eth0]:7"},
		{"mqtt://[fe80::1%25eth0]:7", alone, "mqtt://[fe80::1%eth0]:7"},
		{"coap://peer", SchemeMQTT, "coap://peer:5683"},
		{"MQTTS://Broker", alone, "mqtts://Broker:8883"},
		{"tcp://broker", alone, "mqtt://broker:1883"},
		{"mqtt://broker:1883/", alone, "mqtt://broker:1883"},
		{"ws://broker/mqtt/", alone, "ws://broker:8083/mqtt"},
		{"ws://broker/mqtt//", alone, "ws://broker:8083/mqtt"},
		{"ws://broker//", alone, "ws://broker:8083"},
		{"wss://[::1]:443/a/b", alone, "wss://[::1]:443/a/b"},
		{"broker/mqtt", SchemeWS, "ws://broker:8083/mqtt"},
		{"ma\u00dfe.example", SchemeMQTT, "mqtt://ma\u00dfe.example:1883"},
	} {
		s, address, err := ParseEndpoint(c.text, c.assumed)
		if got := string(s) + "://" + address; err != nil || got != c.want {
			t.Errorf("%s: %s, %v, want %s", c.text, got, err, c.want)
		}
	}
}

func TestEndpointMistakes(t *testing.T) {
	const mqtt, who = "write mqtt://host:1883", "; who devices are is said beside the address, as username and password of the target, or of their fleet in security"
	for text, want := range map[string]string{
		"smtp://peer":           `"smtp://" is not the scheme of an endpoint: there are mqtt://, mqtts://, `,
		"":                      `"" is not an address: the host is missing: ` + mqtt,
		"mqtt://":               `"mqtt://" is not an address: the host is missing: ` + mqtt,
		"ws:///mqtt":            `"ws:///mqtt" is not an address: the host is missing: write ws://host:8083`,
		":1883":                 `":1883" is not an address: the host is missing: ` + mqtt,
		"::1":                   `"::1" is not an address: an IPv6 address stands in brackets, as in [::1]: ` + mqtt,
		"2001:db8::7":           `"2001:db8::7" is not an address: an IPv6 address stands in brackets, as in [::1]: ` + mqtt,
		"[::1":                  `"[::1" is not an address: in brackets stands an IPv6 address, as in [::1]: ` + mqtt,
		"[broker]:1883":         `"[broker]:1883" is not an address: in brackets stands an IPv6 address, as in [::1]: ` + mqtt,
		"[10.0.0.5]:1883":       `"[10.0.0.5]:1883" is not an address: in brackets stands an IPv6 address, as in [::1]: ` + mqtt,
		"[::1]1883":             `"[::1]1883" is not an address: in brackets stands an IPv6 address, as in [::1]: ` + mqtt,
		"[fe80::1%a b]":         `"[fe80::1%a b]" is not an address: the zone is not the name of an interface, as in [fe80::1%eth0]: ` + mqtt,
		"[fe80::1%2525x]":       `"[fe80::1%2525x]" is not an address: the zone is not the name of an interface, as in [fe80::1%eth0]: ` + mqtt,
		"broker:":               `"broker:" is not an address: a port is a number from 1 to 65535: ` + mqtt,
		"broker:mqtt":           `"broker:mqtt" is not an address: a port is a number from 1 to 65535: ` + mqtt,
		"broker:0":              `"broker:0" is not an address: a port is a number from 1 to 65535: ` + mqtt,
		"broker:70000":          `"broker:70000" is not an address: a port is a number from 1 to 65535: ` + mqtt,
		"10.0.0.500":            `"10.0.0.500" is not an address: an IPv4 address has four numbers from 0 to 255: ` + mqtt,
		"10.0.5":                `"10.0.5" is not an address: an IPv4 address has four numbers from 0 to 255: ` + mqtt,
		"my broker":             `"my broker" is not an address: a host has letters, digits, - and . only: ` + mqtt,
		"<host>":                `"<host>" is not an address: a host has letters, digits, - and . only: ` + mqtt,
		"mqtt://broker/topic":   `"mqtt://broker/topic" has a path, and only ws:// and wss:// have one: ` + mqtt,
		"coap://peer/path":      `"coap://peer/path" has a path, and only ws:// and wss:// have one: write coap://host:5683`,
		"ws://broker/a b":       `"ws://broker/a b" has a space in its path: write ws://host:8083`,
		"ws://broker/mqtt?x=1":  `"ws://broker/mqtt?x=1" has a query, and endpoints have none: write ws://host:8083`,
		"mqtt://broker#x":       `"mqtt://broker#x" has a query, and endpoints have none: ` + mqtt,
		"mqtt://me:secret@x:18": `the address of "x:18" has a user name or a password: ` + mqtt + who,
		"me@broker":             `the address of "broker" has a user name or a password: ` + mqtt + who,
	} {
		_, address, err := ParseEndpoint(text, SchemeMQTT)
		var m *Mistake
		if !errors.As(err, &m) || !strings.HasPrefix(err.Error(), want) || m.Right == "" || address != "" {
			t.Errorf("%s: %q\n got %v\nwant %s", text, address, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the password is told: %v", text, err)
		}
	}
	if _, _, err := ParseEndpoint("broker:1883", ""); err == nil || err.Error() != `"broker:1883" does not say how to speak: write mqtt://host:port or coap://host:port` {
		t.Error(err)
	}
}

func TestSplitAddress(t *testing.T) {
	for address, want := range map[string][3]string{
		"broker:1883":        {"broker", "1883", ""},
		"[::1]:5683":         {"::1", "5683", ""},
		"10.0.0.5:8083/mqtt": {"10.0.0.5", "8083", "/mqtt"},
		"[::1]:8083/a:1/b":   {"::1", "8083", "/a:1/b"},
		"":                   {},
	} {
		host, port, path := SplitAddress(address)
		if got := [3]string{host, port, path}; got != want {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
	}
}

// What is read is read again as the same from what is printed of it, has a host and a port, and mistakes
// say what would be right.
func FuzzParseEndpoint(f *testing.F) {
	for _, text := range []string{"mqtt://broker", "ws://[::1]:80/mqtt/", "tcp://10.0.0.5:1", "me:pw@x", "::1", "[fe80::1%25eth0]", "coap://peer?x#y"} {
		for _, s := range append(Schemes(), "") {
			f.Add(text, string(s))
		}
	}
	f.Fuzz(func(t *testing.T, text, assumed string) {
		if Scheme(assumed).Channel() == "" {
			assumed = ""
		}
		s, address, err := ParseEndpoint(text, Scheme(assumed))
		if err != nil {
			if m := err.(*Mistake); m.Wrong == "" || m.Right == "" || strings.ContainsAny(err.Error(), "\r\n") || len(err.Error()) > 2000 {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		again, same, err := ParseEndpoint(string(s)+"://"+address, "")
		if host, port, _ := SplitAddress(address); err != nil || again != s || same != address || host == "" || port == "" {
			t.Errorf("%q is %s://%s, which is %s://%s, %v", text, s, address, again, same, err)
		}
	})
}
