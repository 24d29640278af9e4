package auth

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/myriad-iot/myriad/sim"
)

func users() *Users {
	return NewUsers([]Group{
		{Count: 1, Username: "myriad", Password: "own"},
		{Fleet: "meters", Count: 3, Username: "{fleet}/{id}", Password: "key of {id}"},
		{Fleet: "vans", Count: 1000, Username: "vans", Password: "shared"},
		{Fleet: "trucks", Count: 2, Username: "vans", Password: "truck"},
		{Fleet: "pumps", Count: 2, Username: "pump", Password: "{id}"},
	})
}

func TestUsers(t *testing.T) {
	u := users()
	for _, tt := range []struct {
		name, password string
		want           bool
	}{
		{"myriad", "own", true}, {"myriad", "", false}, {"", "", false},
		{"meters/meters-0", "key of meters-0", true}, {"meters/meters-2", "key of meters-2", true},
		{"meters/meters-2", "key of meters-1", false}, {"meters/meters-3", "key of meters-3", false}, {"meters-0", "key of meters-0", false},
		{"vans", "shared", true}, {"vans", "truck", true}, {"vans", "pump", false},
		{"pump", "pumps-1", true}, {"pump", "pumps-2", false},
	} {
		if got := u.Admits(tt.name, tt.password); got != tt.want {
			t.Errorf("%s with %q: %v", tt.name, tt.password, got)
		}
	}
	if !u.Has("vans") || u.Has("guest") || len(u.named["vans"]) != 2 {
		t.Errorf("vans are %v", u.named["vans"])
	}
}

// Who may connect is in the plan: devices with a name, and Myriad itself; copies show what others have.
func TestGroupsOf(t *testing.T) {
	login := func(name string) sim.Binding {
		return sim.Binding{Role: sim.RoleData, Channel: sim.ChannelMQTT, Security: sim.Security{Username: name, Password: sim.NewSecret("p")}}
	}
	p := &sim.Plan{
		Target: sim.TargetSpec{Login: sim.Login{Username: "own", Password: sim.NewSecret("o")}, Strangers: []string{"b"}},
		Fleets: []sim.Fleet{
			{Name: "a", Count: 7, Bindings: []sim.Binding{login("{id}")}},
			{Name: "b", Count: 7, Bindings: []sim.Binding{login("{id}")}},
			{Name: "nameless", Count: 7, Bindings: []sim.Binding{login("")}},
			{Name: "copies", Count: 1, Bindings: []sim.Binding{login("{id}")}, Copies: &sim.Copies{Of: "a"}},
			{Name: "coap", Count: 7, Bindings: []sim.Binding{{Role: sim.RoleData, Channel: sim.ChannelCoAP}}},
		},
	}
	want := []Group{{Count: 1, Username: "own", Password: "o"}, {Fleet: "a", Count: 7, Username: "{id}", Password: "p"}}
	if got := GroupsOf(p); !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
}

// call asks a server and returns the status and what it says.
func call(s *Server, method, path string, form url.Values) (int, string) {
	r := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func control(s *Server, token, say string) int {
	r := httptest.NewRequest(http.MethodPut, ControlPath, strings.NewReader(say))
	r.Header.Set(TokenHeader, token)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Code
}

func TestServer(t *testing.T) {
	var pipe bytes.Buffer
	s := &Server{Users: users(), Token: "secret", Log: &pipe}
	who := func(name, password string) url.Values { return url.Values{"username": {name}, "password": {password}} }
	ask := func(want string, kind Kind, form url.Values) {
		t.Helper()
		code, said := call(s, http.MethodPost, "/"+string(kind), form)
		if got := fmt.Sprint(code, " ", strings.TrimSpace(said)); !strings.HasPrefix(got, want) {
			t.Errorf("%s of %v: %s, want %s", kind, form, got, want)
		}
	}
	ask("200 allow", KindUser, who("vans", "shared"))
	ask("200 deny", KindUser, who("vans", "guessed"))
	for _, kind := range Kinds()[1:] {
		ask("200 allow", kind, who("vans", ""))
		ask("200 deny", kind, who("guest", ""))
	}
	for say, want := range map[string]int{"on": http.StatusNotFound, "off": http.StatusNotFound} {
		if got := control(s, "guess", say); got != want {
			t.Errorf("with another token: %d", got)
		}
	}
	if got := control(&Server{Users: users()}, "", "on"); got != http.StatusNotFound {
		t.Errorf("without a token: %d", got)
	}
	if got := control(s, "secret", "perhaps"); got != http.StatusBadRequest {
		t.Errorf("perhaps: %d", got)
	}
	if control(s, "secret", "on") != http.StatusNoContent {
		t.Error("it does not obey")
	}
	ask("500", KindUser, who("vans", "shared"))
	ask("500", KindTopic, who("guest", ""))
	if control(s, "secret", "off") != http.StatusNoContent {
		t.Error("it does not obey")
	}
	ask("200 allow", KindUser, who("vans", "shared"))
	if code, _ := call(s, http.MethodGet, "/user?username=vans&password=shared", nil); code != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", code)
	}
	if code, _ := call(s, http.MethodPost, "/users", nil); code != http.StatusNotFound {
		t.Errorf("an unknown path: %d", code)
	}
	ask("200 deny", KindUser, who(strings.Repeat("x", maxForm), ""))

	// What was no question is no record.
	seen := map[string]int{}
	if err := ReadRecords(&pipe, func(r Record) { seen[string(r.Kind)+" "+string(r.Answer)]++ }); err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"user allowed": 2, "user denied": 2, "user errors": 1, "vhost allowed": 1, "vhost denied": 1,
		"resource allowed": 1, "resource denied": 1, "topic allowed": 1, "topic denied": 1, "topic errors": 1}
	if !reflect.DeepEqual(seen, want) {
		t.Errorf("%v", seen)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("full") }

// What is not counted is not answered.
func TestServerAnswersNothingWithoutItsRecord(t *testing.T) {
	s := &Server{Users: users(), Log: full{}}
	if code, _ := call(s, http.MethodPost, "/user", url.Values{"username": {"vans"}, "password": {"shared"}}); code != http.StatusInternalServerError {
		t.Errorf("it answers %d", code)
	}
}

func TestRecords(t *testing.T) {
	at := time.Unix(1_764_000_000, 123_456_789)
	want := []Record{{At: at, Kind: KindTopic, Answer: Denied}, {At: at.Add(1), Stall: 80 * time.Millisecond}, {At: at.Add(2), Kind: KindUser, Answer: Failed}}
	var pipe bytes.Buffer
	for i := range want {
		if err := want[i].Write(&pipe); err != nil {
			t.Fatal(err)
		}
	}
	var got []Record
	if err := ReadRecords(&pipe, func(r Record) { got = append(got, r) }); err != nil || !slices.EqualFunc(got, want, func(a, b Record) bool {
		return a.At.Equal(b.At) && a.Kind == b.Kind && a.Answer == b.Answer && a.Stall == b.Stall
	}) {
		t.Errorf("%v, %v", got, err)
	}
	if err := ReadRecords(io.LimitReader(strings.NewReader("12 us"), 5), func(Record) {}); err == nil {
		t.Error("a torn record is one")
	}
}
