package access

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/exameter/exameter/internal/config"
)

// FuzzList reads any list. Nobody is let in by a token that does not stand in it, and those that stand in it have names and scopes.
func FuzzList(f *testing.F) {
	token, entry := NewToken("a", []Scope{Read}, "")
	one := "  - {name: a, sha256: " + entry.SHA256 + ", scopes: [read]"
	for _, text := range []string{
		"", "tokens: []\n", "tokens:\n" + one + "}\n", "tokens:\n" + one + ", expires: 2027-12-31}\n", "tokens:\n" + one + ", expires: soon}\n", "tokens:\n" + one + "}\n" + one + "}\n",
		"tokens:\n  - {name: '', sha256: x, scopes: []}\n", "certificates:\n  - {name: c, scopes: [admin]}\n", "tokens:\n  - {name: a, sha256: " + strings.Repeat("0", 63) + "é, scopes: [read]}\n",
		"tokens: &a\n - *a\n", "certificates:\n  - {name: \"a\\u0000\", scopes: [read]}\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l := &List{}
		if err := config.Read(strings.NewReader(text), "access.yaml", l); err != nil {
			return
		}
		now := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
		for _, guess := range []string{"", "exameter_", token + "x", entry.SHA256} {
			if who, err := l.token(guess, now); err == nil {
				t.Errorf("%q lets %q in as %+v", text, guess, who)
			}
		}
		for _, one := range l.Tokens {
			if validName(one.Name) != nil || validScopes(one.Scopes) != nil || len(one.SHA256) != 64 {
				t.Errorf("%q: %+v is accepted", text, one)
			}
		}
		if who, err := l.token(token, now); err == nil && !slices.ContainsFunc(l.Tokens, func(o Token) bool { return strings.EqualFold(o.SHA256, entry.SHA256) }) {
			t.Errorf("%q lets a token in that does not stand in it, as %+v", text, who)
		}
	})
}
