package auth

import (
	"crypto/subtle"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// ControlPath is where the service is told, by a PUT with [TokenHeader], to answer with errors (the body "on") or as
// before ("off").
const ControlPath = "/errors"

// TokenHeader has the token of who may tell the service what to do.
const TokenHeader = "Myriad-Token"

// maxForm is how long a question may be, in bytes. A password may have 65,535, and each byte of it takes three.
const maxForm = 256 << 10

// Server answers questions. Set the fields first; it is an [http.Handler].
type Server struct {
	Users *Users
	Token string    // of the control; "": nobody may control it
	Log   io.Writer // gets a [Record] of each question before it is answered; nil: nothing is kept

	failing atomic.Bool
	writing sync.Mutex
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if r.URL.Path == ControlPath {
		s.control(w, r)
		return
	}
	kind := Kind(strings.TrimPrefix(r.URL.Path, "/"))
	switch {
	case !slices.Contains(Kinds(), kind):
		http.NotFound(w, r)
		return
	case r.Method != http.MethodPost:
		http.Error(w, "POST only", http.StatusMethodNotAllowed)
		return
	}
	answer := s.answer(kind, r)
	if err := s.Note(&Record{At: time.Now(), Kind: kind, Answer: answer}); err != nil {
		answer = Failed // what is not counted is not answered
	}
	switch answer {
	case Allowed:
		_, _ = io.WriteString(w, "allow")
	case Denied:
		_, _ = io.WriteString(w, "deny")
	default:
		http.Error(w, "the story lets this service fail", http.StatusInternalServerError)
	}
}

// answer decides. A form that cannot be read is nobody's.
func (s *Server) answer(kind Kind, r *http.Request) Answer {
	if s.failing.Load() {
		return Failed
	}
	if err := r.ParseForm(); err != nil {
		return Denied
	}
	name := r.PostForm.Get("username")
	if kind == KindUser && s.Users.Admits(name, r.PostForm.Get("password")) || kind != KindUser && s.Users.Has(name) {
		return Allowed
	}
	return Denied
}

// Note writes a record.
func (s *Server) Note(r *Record) error {
	if s.Log == nil {
		return nil
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	return r.Write(s.Log)
}

func (s *Server) control(w http.ResponseWriter, r *http.Request) {
	if s.Token == "" || subtle.ConstantTimeCompare([]byte(r.Header.Get(TokenHeader)), []byte(s.Token)) != 1 || r.Method != http.MethodPut {
		http.NotFound(w, r)
		return
	}
	said, err := io.ReadAll(r.Body)
	on := string(said) == "on"
	if err != nil || !on && string(said) != "off" {
		http.Error(w, "say on or off", http.StatusBadRequest)
		return
	}
	s.failing.Store(on)
	w.WriteHeader(http.StatusNoContent)
}
