package sim

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
)

// ParseEndpoint reads "scheme://host[:port][/path]" and returns the scheme and the address, "host:port" or
// "host:port/path", as [Endpoints] hold it. Without a scheme in the text it is assumed; an assumed ""
// demands one. A port that is left out is the scheme's own. The case of a scheme's letters does not matter,
// and tcp:// is mqtt://. Only schemes are read whose channels converse: no fleet can use another's endpoint yet.
//
// The host is an IPv4 address, an IPv6 address in brackets, or a name. Only WebSocket has a path. A user
// name, a password and a query are told apart and refused: endpoints have none. The error is a [*Mistake];
// it does not repeat a password.
func ParseEndpoint(text string, assumed Scheme) (Scheme, string, error) {
	scheme, rest := assumed, text
	if name, after, ok := strings.Cut(text, "://"); ok {
		if rest = after; strings.EqualFold(name, "tcp") {
			name = string(SchemeMQTT)
		}
		if scheme = Scheme(strings.ToLower(name)); !scheme.Channel().Converses() {
			return "", "", &Mistake{fmt.Sprintf("%.20q is not the scheme of an endpoint", name+"://"), "there are " + schemesInWords()}
		}
	}
	if !scheme.Channel().Converses() {
		return "", "", &Mistake{fmt.Sprintf("%.200q does not say how to speak", text), "write mqtt://host:port or coap://host:port"}
	}
	authority, path := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	right := "write " + string(scheme) + "://host:" + scheme.Port()
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		return "", "", &Mistake{fmt.Sprintf("the address of %.200q has a user name or a password", authority[at+1:]),
			right + "; who devices are is said beside the address, as username and password of the target, or of their fleet in security"}
	}
	if why := wrongPath(scheme, path); why != "" {
		return "", "", &Mistake{fmt.Sprintf("%.200q has %s", text, why), right}
	}
	host, port := splitPort(authority)
	host = zoned(host)
	if port == "" && !strings.HasSuffix(authority, ":") {
		port = scheme.Port()
	}
	if why := wrongHost(host); why != "" {
		return "", "", &Mistake{fmt.Sprintf("%.200q is not an address: %s", text, why), right}
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", "", &Mistake{fmt.Sprintf("%.200q is not an address: a port is a number from 1 to 65535", text), right}
	}
	return scheme, host + ":" + port + strings.TrimRight(path, "/"), nil
}

// SplitAddress takes an address of [Endpoints] apart: an IPv6 host is without its brackets, a path begins
// with a slash.
func SplitAddress(address string) (host, port, path string) {
	if i := strings.IndexByte(address, '/'); i >= 0 {
		address, path = address[:i], address[i:]
	}
	host, port = splitPort(address)
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"), port, path
}

// splitPort cuts "host:port" at its last colon, unless that stands in brackets.
func splitPort(authority string) (host, port string) {
	if i := strings.LastIndexByte(authority, ':'); i > strings.LastIndexByte(authority, ']') {
		return authority[:i], authority[i+1:]
	}
	return authority, ""
}

func schemesInWords() string {
	var list []string
	for _, s := range Schemes() {
		if s.Channel().Converses() {
			list = append(list, string(s)+"://")
		}
	}
	return strings.Join(list[:len(list)-1], ", ") + " and " + list[len(list)-1]
}

// wrongPath says what of an endpoint's path there cannot be; path begins with the mark that it has.
func wrongPath(s Scheme, path string) string {
	switch {
	case strings.ContainsAny(path, "?#"):
		return "a query, and endpoints have none"
	case strings.Trim(path, "/") == "":
		return ""
	case s != SchemeWS && s != SchemeWSS:
		return "a path, and only ws:// and wss:// have one"
	case strings.ContainsFunc(path, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return "a space in its path"
	}
	return ""
}

// wrongHost says why host can be neither an address nor a name.
func wrongHost(host string) string {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, closed := strings.CutSuffix(inner, "]")
		a, err := netip.ParseAddr(inner)
		switch {
		case !closed || err != nil || !a.Is6():
			return "in brackets stands an IPv6 address, as in [::1]"
		case strings.ContainsFunc(a.Zone(), notInNames) || len(a.Zone()) > 2 && strings.HasPrefix(a.Zone(), "25"):
			return "the zone is not the name of an interface, as in [fe80::1%eth0]"
		}
		return ""
	}
	switch {
	case host == "":
		return "the host is missing"
	case strings.Contains(host, ":"):
		return "an IPv6 address stands in brackets, as in [::1]"
	case len(host) > 253: // RFC 1035 section 2.3.4
		return "the host is too long"
	case strings.Trim(host, "0123456789.") == "":
		if _, err := netip.ParseAddr(host); err != nil {
			return "an IPv4 address has four numbers from 0 to 255"
		}
	case strings.ContainsFunc(host, notInNames):
		return "a host has letters, digits, - and . only"
	}
	return ""
}

func notInNames(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-' && r != '.' && r != '_'
}

// zoned writes the zone of an IPv6 address as Go does: URIs have %25 in place of its % (RFC 6874).
func zoned(host string) string {
	if address, zone, ok := strings.Cut(host, "%25"); ok && strings.HasPrefix(host, "[") && zone != "]" {
		return address + "%" + zone
	}
	return host
}
