// Package access says who may ask a collector what over HTTP: TLS, bearer tokens, certificates of clients, and how often. See docs/security.md.
package access

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/exameter/exameter/internal/config"
)

// Scope is what somebody may do.
type Scope string

// The scopes. Admin includes Read.
const (
	Read  Scope = "read"  // ask everything that a collector answers
	Admin Scope = "admin" // also what collectors ask each other
)

// List is a file that says who is let in. Tokens stand in it as hashes: who reads the file cannot use them.
type List struct {
	Tokens       []Token       `yaml:"tokens"`
	Certificates []Certificate `yaml:"certificates"`
}

// Token is a bearer token.
type Token struct {
	Name    string  `yaml:"name"` // for logs
	SHA256  string  `yaml:"sha256"`
	Scopes  []Scope `yaml:"scopes"`
	Expires string  `yaml:"expires"` // a day, on which it is good still, or a time; empty: never

	hash  [sha256.Size]byte
	until time.Time // zero: never
}

// Certificate is a client's certificate, by its subject's common name.
type Certificate struct {
	Name   string  `yaml:"name"`
	Scopes []Scope `yaml:"scopes"`
}

// tokenPrefix is what tokens begin with, so that people, and programs that look for secrets in files, know one when they see it.
const tokenPrefix = "exameter_"

// NewToken makes a token and returns it with its entry, in which it cannot be read.
func NewToken(name string, scopes []Scope, expires string) (token string, entry Token) {
	var b [32]byte
	_, _ = rand.Read(b[:]) // it never fails: it ends the process instead
	token = tokenPrefix + base64.RawURLEncoding.EncodeToString(b[:])
	sum := sha256.Sum256([]byte(token))
	return token, Token{Name: name, SHA256: hex.EncodeToString(sum[:]), Scopes: scopes, Expires: expires}
}

// LoadList reads a list, which others than its owner and group must not be able to read: it names who is let in, and until when.
func LoadList(path string) (*List, error) {
	if err := Private(path); err != nil {
		return nil, err
	}
	l := &List{}
	if err := config.Load(path, l); err != nil {
		return nil, err
	}
	return l, nil
}

// Private reports a file that everybody may read.
func Private(path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("look at a file of secrets: %w", err)
	}
	if st.Mode().Perm()&0o007 != 0 {
		return fmt.Errorf("%s may be read or written by everybody (%s): run chmod o= %s: %w", path, st.Mode().Perm(), path, fs.ErrPermission)
	}
	return nil
}

// Validate checks a list, and makes it ready.
func (l *List) Validate() error {
	names := map[string]bool{}
	hashes := map[[sha256.Size]byte]bool{}
	for i := range l.Tokens {
		t, key := &l.Tokens[i], fmt.Sprintf("tokens[%d]", i)
		if err := validName(t.Name); err != nil {
			return config.Errorf(key+".name", "%w", err)
		}
		if names[t.Name] {
			return config.Errorf(key+".name", "%q stands here twice", t.Name)
		}
		names[t.Name] = true
		n, err := hex.Decode(t.hash[:], []byte(t.SHA256[:min(len(t.SHA256), 2*sha256.Size)]))
		if err != nil || n != sha256.Size || len(t.SHA256) != 2*sha256.Size {
			return config.Errorf(key+".sha256", "is not the SHA-256 of a token: want 64 hexadecimal digits, as exameter token new prints them")
		}
		if hashes[t.hash] {
			return config.Errorf(key+".sha256", "is another token's too")
		}
		hashes[t.hash] = true
		if t.until, err = parseExpiry(t.Expires); err != nil {
			return config.Errorf(key+".expires", "%w", err)
		}
		if err := validScopes(t.Scopes); err != nil {
			return config.Errorf(key+".scopes", "%w", err)
		}
	}
	names = map[string]bool{}
	for i := range l.Certificates {
		c, key := &l.Certificates[i], fmt.Sprintf("certificates[%d]", i)
		if err := validName(c.Name); err != nil {
			return config.Errorf(key+".name", "%w", err)
		}
		if names[c.Name] {
			return config.Errorf(key+".name", "%q stands here twice", c.Name)
		}
		names[c.Name] = true
		if err := validScopes(c.Scopes); err != nil {
			return config.Errorf(key+".scopes", "%w", err)
		}
	}
	return nil
}

func validName(s string) error {
	if s == "" || len(s) > 200 || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("%.210q is no name: want 1 to 200 characters", s)
	}
	return nil
}

// ParseScopes reads scopes as flags give them.
func ParseScopes(words []string) (out []Scope, err error) {
	for _, w := range words {
		out = append(out, Scope(w))
	}
	return out, validScopes(out)
}

func validScopes(s []Scope) error {
	if len(s) == 0 {
		return fmt.Errorf("there is none: want %s or %s", Read, Admin)
	}
	for _, one := range s {
		if one != Read && one != Admin {
			return fmt.Errorf("%q is not one of %s, %s", one, Read, Admin)
		}
	}
	return nil
}

// parseExpiry returns the end of the last day, or the moment.
func parseExpiry(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if day, err := time.Parse(time.DateOnly, s); err == nil {
		return day.AddDate(0, 0, 1), nil
	}
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return at, fmt.Errorf("%q is neither a day, such as 2027-12-31, nor a time", s)
	}
	return at, nil
}

// ValidExpiry reports what is wrong with a day or time.
func ValidExpiry(s string) error {
	_, err := parseExpiry(s)
	return err
}

// Until is when a token of a list that was loaded expires; zero: never.
func (t *Token) Until() time.Time { return t.until }

// caller is somebody who was recognised.
type caller struct {
	name   string
	scopes []Scope
}

// may reports whether somebody may do what takes a scope.
func (c *caller) may(s Scope) bool {
	return slices.Contains(c.scopes, s) || s == Read && slices.Contains(c.scopes, Admin)
}

// token finds whose a token is. It takes the same time whatever the token is.
func (l *List) token(token string, now time.Time) (*caller, error) {
	sum := sha256.Sum256([]byte(token))
	var found *Token
	for i := range l.Tokens {
		if subtle.ConstantTimeCompare(l.Tokens[i].hash[:], sum[:]) == 1 {
			found = &l.Tokens[i]
		}
	}
	switch {
	case found == nil:
		return nil, errUnknown
	case !found.until.IsZero() && !now.Before(found.until):
		return nil, errExpired
	}
	return &caller{"token " + found.Name, found.Scopes}, nil
}

// certificate finds who a certificate of a trusted authority is of.
func (l *List) certificate(name string) *caller {
	for _, c := range l.Certificates {
		if c.Name == name {
			return &caller{"certificate " + c.Name, c.Scopes}
		}
	}
	return nil
}
