package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/exameter/exameter/collector/access"
)

// TestTokenNew puts what it prints into a list as people would.
func TestTokenNew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.yaml")
	text := "tokens:\n"
	for _, args := range [][]string{{"dispatch: the first"}, {"grafana", "--scope", "read,admin", "--expires", "2027-12-31"}} {
		cmd := rootCommand()
		var out, errs bytes.Buffer
		cmd.SetOut(&out)
		cmd.SetErr(&errs)
		cmd.SetArgs(append([]string{"token", "new"}, args...))
		if err := cmd.Execute(); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(errs.String()), "\n")
		if token := lines[len(lines)-1]; !strings.HasPrefix(token, "exameter_") || len(token) < 50 || strings.Contains(out.String(), token) {
			t.Errorf("the token is %q, its entry\n%s", token, &out)
		}
		text += out.String()
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := access.LoadList(path)
	if err != nil || len(l.Tokens) != 2 || l.Tokens[0].Name != "dispatch: the first" || len(l.Tokens[1].Scopes) != 2 || l.Tokens[1].Expires != "2027-12-31" {
		t.Fatalf("%+v, %v\n%s", l, err, text)
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	if err := run(t.Context(), []string{"token", "new", "a"}, strings.NewReader(""), full, &bytes.Buffer{}); err == nil {
		t.Error("an entry that could not be written is no error")
	}
	for _, args := range [][]string{{"a", "--scope", "write"}, {"a", "--expires", "soon"}, {""}, {}} {
		cmd := rootCommand()
		cmd.SetOut(&bytes.Buffer{})
		cmd.SetErr(&bytes.Buffer{})
		cmd.SetArgs(append([]string{"token", "new"}, args...))
		if err := cmd.Execute(); err == nil {
			t.Errorf("%v was taken", args)
		}
	}
}
