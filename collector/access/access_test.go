package access

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/exameter/exameter/test/certs"
)

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// desk is a guarded handler that answers who was let in.
type desk struct {
	t       *testing.T
	guard   *Guard
	handler http.Handler
	refused []string
	log     bytes.Buffer
}

func newDesk(t *testing.T, c Config) *desk {
	t.Helper()
	d := &desk{t: t}
	problem := func(w http.ResponseWriter, status int, detail string) { http.Error(w, detail, status) }
	var err error
	d.guard, err = New(c, problem, func(r string) { d.refused = append(d.refused, r) }, slog.New(slog.NewTextHandler(&d.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	d.handler = d.guard.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "in") }), func(r *http.Request) Scope {
		return map[string]Scope{"/read": Read, "/admin": Admin}[r.URL.Path]
	})
	return d
}

func (d *desk) ask(path string, authorization ...string) (int, string, http.Header) {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for _, a := range authorization {
		r.Header.Add("Authorization", a)
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	return w.Code, w.Body.String(), w.Header()
}

func list(entries ...Token) string {
	var b strings.Builder
	b.WriteString("tokens:\n")
	for _, e := range entries {
		fmt.Fprintf(&b, "  - name: %s\n    sha256: %s\n    scopes: %v\n", e.Name, e.SHA256, strings.ReplaceAll(fmt.Sprint(e.Scopes), " ", ", "))
		if e.Expires != "" {
			fmt.Fprintf(&b, "    expires: %s\n", e.Expires)
		}
	}
	return b.String()
}

func TestTokens(t *testing.T) {
	reader, readerEntry := NewToken("dispatch", []Scope{Read}, "")
	admin, adminEntry := NewToken("collectors", []Scope{Admin}, "")
	old, oldEntry := NewToken("old", []Scope{Admin}, "2026-11-25")
	path := filepath.Join(t.TempDir(), "access.yaml")
	write(t, path, list(readerEntry, adminEntry, oldEntry), 0o640)
	d := newDesk(t, Config{Access: path})
	d.guard.now = func() time.Time { return time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC) }
	for _, tc := range []struct {
		name, path string
		with       []string
		code       int
		reason     string
	}{
		{"everybody, what is everybody's", "/", nil, 200, ""},
		{"nobody", "/read", nil, 401, reasonNobody},
		{"a reader", "/read", []string{"Bearer " + reader}, 200, ""},
		{"a reader, in other letters", "/read", []string{"bearer  " + reader}, 200, ""},
		{"a reader who wants more", "/admin", []string{"Bearer " + reader}, 403, reasonScope},
		{"an administrator", "/admin", []string{"Bearer " + admin}, 200, ""},
		{"an administrator who reads", "/read", []string{"Bearer " + admin}, 200, ""},
		{"a token that has expired", "/read", []string{"Bearer " + old}, 401, reasonNobody},
		{"a token that is not known", "/read", []string{"Bearer " + reader[:len(reader)-1]}, 401, reasonNobody},
		{"the hash of a token", "/read", []string{"Bearer " + readerEntry.SHA256}, 401, reasonNobody},
		{"two tokens", "/read", []string{"Bearer x", "Bearer " + reader}, 401, reasonNobody},
		{"another kind", "/read", []string{"Basic " + reader}, 401, reasonNobody},
		{"none", "/read", []string{"Bearer"}, 401, reasonNobody},
		{"an endless one", "/read", []string{"Bearer " + strings.Repeat("x", 10_000)}, 401, reasonNobody},
	} {
		d.refused = nil
		code, body, header := d.ask(tc.path, tc.with...)
		if code != tc.code || code == 200 && body != "in" || (code == 401) != (header.Get("WWW-Authenticate") != "") {
			t.Errorf("%s: %d %q %v", tc.name, code, body, header)
		}
		if got := strings.Join(d.refused, " "); got != tc.reason {
			t.Errorf("%s: counted as %q, want %q", tc.name, got, tc.reason)
		}
	}
	for _, secret := range []string{reader, admin, old} {
		if strings.Contains(d.log.String(), secret) || strings.Contains(list(readerEntry, adminEntry), secret) {
			t.Errorf("a token stands in the log, or in the list:\n%s", &d.log)
		}
	}
}

// TestListIsReadAnew takes over who is let in, and keeps who was where the file is spoiled.
func TestListIsReadAnew(t *testing.T) {
	one, oneEntry := NewToken("one", []Scope{Read}, "")
	two, twoEntry := NewToken("two", []Scope{Read}, "")
	path := filepath.Join(t.TempDir(), "access.yaml")
	write(t, path, list(oneEntry), 0o600)
	d := newDesk(t, Config{Access: path})
	look := func() { d.guard.list.looked = time.Time{} }
	codes := func() string {
		look()
		a, _, _ := d.ask("/read", "Bearer "+one)
		b, _, _ := d.ask("/read", "Bearer "+two)
		return fmt.Sprint(a, b)
	}
	if got := codes(); got != "200 401" {
		t.Fatal(got)
	}
	write(t, path, "tokens: [nonsense", 0o600)
	if got := codes(); got != "200 401" || !strings.Contains(d.log.String(), "cannot be read") {
		t.Errorf("with a file that is spoiled: %s\n%s", got, &d.log)
	}
	write(t, path, list(twoEntry), 0o644)
	if got := codes(); got != "200 401" {
		t.Errorf("with a file that everybody may read: %s\n%s", got, &d.log)
	}
	said := strings.Count(d.log.String(), "cannot be read")
	if got := codes(); got != "200 401" || strings.Count(d.log.String(), "cannot be read") != said {
		t.Errorf("asked once more: %s\n%s", got, &d.log)
	}
	if err := os.Chmod(path, 0o600); err != nil { // what the log says is to be done: neither time nor size tell
		t.Fatal(err)
	}
	if got := codes(); got != "401 200" {
		t.Errorf("once others may not read it any more: %s\n%s", got, &d.log)
	}
	write(t, path+".new", list(oneEntry), 0o600)
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	if got := codes(); got != "200 401" {
		t.Errorf("with another list: %s\n%s", got, &d.log)
	}
}

func TestListRefuses(t *testing.T) {
	_, e := NewToken("a", []Scope{Read}, "")
	sha := e.SHA256
	for text, want := range map[string]string{
		"tokens:\n  - name: a\n": "tokens[0].sha256",
		"tokens:\n  - name: a\n    sha256: " + sha[:63] + "\n    scopes: [read]\n":                                        "64 hexadecimal digits",
		"tokens:\n  - name: a\n    sha256: " + sha + "00\n    scopes: [read]\n":                                           "64 hexadecimal digits",
		"tokens:\n  - name: a\n    sha256: " + sha + "\n":                                                                 "tokens[0].scopes: there is none",
		"tokens:\n  - name: a\n    sha256: " + sha + "\n    scopes: [write]\n":                                            `"write" is not one of read, admin`,
		"tokens:\n  - name: a\n    sha256: " + sha + "\n    scopes: [read]\n    expires: soon\n":                          `"soon" is neither a day`,
		"tokens:\n  - name: \"\"\n    sha256: " + sha + "\n    scopes: [read]\n":                                          "tokens[0].name",
		"tokens:\n  - {name: a, sha256: " + sha + ", scopes: [read]}\n  - {name: b, sha256: " + sha + ", scopes: [read]}": "tokens[1].sha256: is another token's too",
		"certificates:\n  - {name: a, scopes: [read]}\n  - {name: a, scopes: [read]}":                                     "certificates[1].name",
		"token: x\n": "token",
	} {
		path := filepath.Join(t.TempDir(), "access.yaml")
		write(t, path, text, 0o600)
		if _, err := LoadList(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: %v, want %q and the file's name", text, err, want)
		}
	}
}

func TestConfigRefuses(t *testing.T) {
	for _, tc := range []struct {
		c    Config
		want string
	}{
		{Config{TLS: TLS{Cert: "a"}}, "http.tls: cert and key go together"},
		{Config{TLS: TLS{ClientCA: "a"}}, "no cert"},
		{Config{TLS: TLS{Cert: "a", Key: "b", ClientCA: "c"}}, "http.access"},
		{Config{Rate: -1}, "http.rate"},
	} {
		if err := tc.c.Validate(); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: %v, want %q", tc.c, err, tc.want)
		}
	}
}

// TestRate holds each client to its rate, by who it is and not by where it comes from.
func TestRate(t *testing.T) {
	one, oneEntry := NewToken("one", []Scope{Read}, "")
	two, twoEntry := NewToken("two", []Scope{Read}, "")
	path := filepath.Join(t.TempDir(), "access.yaml")
	write(t, path, list(oneEntry, twoEntry), 0o600)
	d := newDesk(t, Config{Access: path, Rate: 5})
	now := time.Now()
	d.guard.now = func() time.Time { return now }
	in := 0
	for range 20 {
		if code, _, header := d.ask("/read", "Bearer "+one); code == 200 {
			in++
		} else if code != 429 || header.Get("Retry-After") != "1" {
			t.Fatalf("%d %v", code, header)
		}
	}
	if in != 5 {
		t.Errorf("%d of 20 requests at a time were let in, at 5 a second", in)
	}
	if code, _, _ := d.ask("/read", "Bearer "+two); code != 200 {
		t.Errorf("another client: %d", code)
	}
	if code, _, _ := d.ask("/"); code != 200 {
		t.Errorf("what is everybody's: %d", code)
	}
	now = now.Add(time.Second)
	if code, _, _ := d.ask("/read", "Bearer "+one); code != 200 {
		t.Errorf("a second later: %d", code)
	}
	for i := range 3 * maxClients {
		d.guard.rates.take(fmt.Sprint(i), now)
	}
	if n := len(d.guard.rates.clients); n > maxClients {
		t.Errorf("%d clients are kept in mind", n)
	}
}

// authority signs certificates.
type authority struct {
	*certs.Authority
	t   *testing.T
	dir string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	var err error
	if a.Authority, err = certs.NewAuthority(a.dir); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *authority) sign(name, cert, key string) {
	a.t.Helper()
	if err := a.Sign(name, cert, key); err != nil {
		a.t.Fatal(err)
	}
}

// TestTLS serves with certificates that are replaced while it serves, and knows clients by theirs.
func TestTLS(t *testing.T) {
	a, stranger := newAuthority(t), newAuthority(t)
	file := func(name string) string { return filepath.Join(a.dir, name) }
	a.sign("server-1", file("server.pem"), file("server.key"))
	write(t, file("access.yaml"), "certificates:\n  - name: dispatch\n    scopes: [read]\n", 0o600)
	d := newDesk(t, Config{TLS: TLS{Cert: file("server.pem"), Key: file("server.key"), ClientCA: a.CA()}, Access: file("access.yaml")})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: d.handler, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(d.guard.Listener(l)) })
	defer serving.Wait()
	defer s.Close()
	pool, err := Pool(a.CA())
	if err != nil {
		t.Fatal(err)
	}
	ask := func(by *authority, name, path string) (code int, server string, err error) {
		c := &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
		if by != nil {
			by.sign(name, filepath.Join(by.dir, name+".pem"), filepath.Join(by.dir, name+".key"))
			cert, err := tls.LoadX509KeyPair(filepath.Join(by.dir, name+".pem"), filepath.Join(by.dir, name+".key"))
			if err != nil {
				t.Fatal(err)
			}
			c.Certificates = []tls.Certificate{cert}
		}
		client := http.Client{Transport: &http.Transport{TLSClientConfig: c, DisableKeepAlives: true}, Timeout: 10 * time.Second}
		resp, err := client.Get("https://" + l.Addr().String() + path)
		if err != nil {
			return 0, "", err
		}
		defer resp.Body.Close()
		return resp.StatusCode, resp.TLS.PeerCertificates[0].Subject.CommonName, nil
	}
	for _, tc := range []struct {
		name       string
		by         *authority
		who, path  string
		code       int
		handshakes bool
	}{
		{"nobody", nil, "", "/read", 401, true},
		{"nobody, what is everybody's", nil, "", "/", 200, true},
		{"a known certificate", a, "dispatch", "/read", 200, true},
		{"a known certificate that wants more", a, "dispatch", "/admin", 403, true},
		{"another certificate of the authority", a, "other", "/read", 401, true},
		{"the same name of another authority", stranger, "dispatch", "/read", 0, false},
	} {
		code, server, err := ask(tc.by, tc.who, tc.path)
		if code != tc.code || (err == nil) != tc.handshakes || err == nil && server != "server-1" {
			t.Errorf("%s: %d from %q, %v", tc.name, code, server, err)
		}
	}
	a.sign("server-2", file("server.pem"), file("server.key"))
	deadline := time.Now().Add(10 * time.Second)
	for {
		_, server, err := ask(nil, "", "/")
		if err == nil && server == "server-2" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the certificate was replaced, and the server still shows %q: %v\n%s", server, err, &d.log)
		}
		time.Sleep(50 * time.Millisecond)
	}
	if resp, err := http.Get("http://" + l.Addr().String() + "/"); err == nil {
		defer resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			t.Error("it answers without TLS too")
		}
	}
}

func TestKeyOfEverybody(t *testing.T) {
	a := newAuthority(t)
	cert, key := filepath.Join(a.dir, "s.pem"), filepath.Join(a.dir, "s.key")
	a.sign("server", cert, key)
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Config{TLS: TLS{Cert: cert, Key: key}}, nil, nil, slog.Default()); err == nil || !strings.Contains(err.Error(), "chmod o= "+key) {
		t.Errorf("a key that everybody may read: %v", err)
	}
}
