package config_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/exameter/exameter/internal/config"
)

type sample struct {
	Centre string          `yaml:"centre"`
	Every  config.Duration `yaml:"every"`
	Room   config.Size     `yaml:"room"`
	Floor  config.Percent  `yaml:"floor"`
	Inner  struct {
		Names []string `yaml:"names"`
		Level int      `yaml:"level"`
	} `yaml:"inner"`
}

func (s *sample) Validate() error {
	if s.Centre == "" {
		return config.Errorf("centre", "is missing")
	}
	if s.Inner.Level > 9 {
		return config.Errorf("inner.level", "%d is above 9", s.Inner.Level)
	}
	for _, n := range s.Inner.Names {
		if n == "bad" {
			return config.Errorf("inner.names[1]", "%q is not a name", n)
		}
	}
	return nil
}

func TestRead(t *testing.T) {
	s := sample{Every: config.Duration(time.Minute), Room: 7}
	in := "centre: a\nevery: 1m30s\nroom: 64MiB\nfloor: 0.5%\ninner:\n  names: [x, y]\n"
	if err := config.Read(strings.NewReader(in), "f.yaml", &s); err != nil {
		t.Fatal(err)
	}
	if s.Every.D() != 90*time.Second || s.Room != 64<<20 || s.Floor != 5 || len(s.Inner.Names) != 2 {
		t.Errorf("read %+v", s)
	}
	d := sample{Every: config.Duration(time.Minute)}
	if err := config.Read(strings.NewReader("centre: a\n"), "f.yaml", &d); err != nil || d.Every.D() != time.Minute {
		t.Errorf("a default did not survive: %+v, %v", d, err)
	}
}

func TestReadRefuses(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", "f.yaml: centre: is missing"},
		{"# only a comment\n", "f.yaml: centre: is missing"},
		{"centre: a\nbroker: b\n", "f.yaml:2:1: unknown field \"broker\""},
		{"centre: a\ninner:\n  levle: 3\n", "f.yaml:3:3: unknown field \"levle\""},
		{"centre: a\ncentre: b\n", "f.yaml:2:1:"},
		{"centre: a\nevery: 10\n", "f.yaml:2:8: \"10\" is not a length of time"},
		{"centre: a\nevery: -3s\n", "\"-3s\" is not a length of time"},
		{"centre: a\nroom: 64\n", "f.yaml:2:7: \"64\" is not a size"},
		{"centre: a\nroom: 64Mb\n", "\"64Mb\" is not a size"},
		{"centre: a\nroom: 9999999999TiB\n", "is not a size"},
		{"centre: a\nfloor: 5\n", "f.yaml:2:8: \"5\" is not a share"},
		{"centre: a\nfloor: 101%\n", "is not a share"},
		{"centre: a\nfloor: NaN%\n", "is not a share"},
		{"centre: a\ninner:\n  level: ten\n", "f.yaml:3:10:"},
		{"centre: a\ninner:\n  level: 12\n", "f.yaml:3: inner.level: 12 is above 9"},
		{"centre: a\ninner:\n  names:\n    - x\n    - bad\n", "f.yaml:5: inner.names[1]: \"bad\" is not a name"},
		{"centre: a\n---\ncentre: b\n", "more than one YAML document"},
		{"centre: [a\n", "f.yaml:"},
		{"\tcentre: a\n", "f.yaml:"},
		{strings.Repeat("#", config.MaxBytes+1), "more than"},
		{"inner: " + strings.Repeat("[", 1<<19), "nests deeper than"},
		{"inner:\n  names:\n  " + strings.Repeat("- ", 1<<18), "nests deeper than"},
		{strings.Repeat("{a: ", 1<<17), "nests deeper than"},
	} {
		var s sample
		err := config.Read(strings.NewReader(c.in), "f.yaml", &s)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Read(%.60q) = %v, want %q", c.in, err, c.want)
		}
	}
}

func TestLoadNamesTheMissingFile(t *testing.T) {
	if err := config.Load("/nonexistent/x.yaml", &sample{}); err == nil || !strings.Contains(err.Error(), "/nonexistent/x.yaml") {
		t.Errorf("got %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add("centre: a\nevery: 1s\n")
	f.Add("a: &a [*a]\n")
	f.Fuzz(func(t *testing.T, in string) {
		var s sample
		if err := config.Read(strings.NewReader(in), "f.yaml", &s); err == nil && s.Centre == "" {
			t.Errorf("a configuration without a centre passed: %q", in)
		}
	})
}

func TestTagsAreRefused(t *testing.T) {
	var s struct{ Names []string }
	for _, in := range []string{"names: !0 x\n", "names: [a, !!str b]\n", "!t\nnames: []\n"} {
		if err := config.Read(strings.NewReader(in), "f.yaml", &s); err == nil || !strings.Contains(err.Error(), "f.yaml:1:") || !strings.Contains(err.Error(), "is a tag") {
			t.Errorf("%q: %v", in, err)
		}
	}
}

// TestAliasesAreBounded reads aliases that come to a billion names, and some that are as good as what they stand for.
func TestAliasesAreBounded(t *testing.T) {
	var s struct {
		Names []string
		Again []string
	}
	in := "names: &n [a, b]\nagain: *n\n"
	if err := config.Read(strings.NewReader(in), "f.yaml", &s); err != nil || len(s.Again) != 2 {
		t.Errorf("%q: %v, %v", in, err, s.Again)
	}
	var b strings.Builder
	b.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := range 8 {
		fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i+1, i+1, strings.Join(slices.Repeat([]string{fmt.Sprintf("*a%d", i)}, 10), ", "))
	}
	b.WriteString("names: *a8\n")
	if err := config.Read(strings.NewReader(b.String()), "f.yaml", &s); err == nil || !strings.Contains(err.Error(), "f.yaml: its aliases") {
		t.Error(err)
	}
}

func TestExpand(t *testing.T) {
	t.Setenv(config.Credentials, "/run/credentials/x.service")
	for path, want := range map[string]string{
		"/etc/p":                              "/etc/p",
		"$HOME/p":                             "$HOME/p",
		"$CREDENTIALS_DIRECTORY/p":            "/run/credentials/x.service/p",
		"${CREDENTIALS_DIRECTORY}/p":          "/run/credentials/x.service/p",
		"$CREDENTIALS_DIRECTORY/../../shadow": "/run/credentials/x.service/shadow",
	} {
		if got, err := config.Expand(path); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", path, got, err, want)
		}
	}
	if _, err := config.Expand("$CREDENTIALS_DIRECTORYp"); err == nil || !strings.Contains(err.Error(), "a name is missing") {
		t.Error(err)
	}
	t.Setenv(config.Credentials, "")
	if _, err := config.Expand("$CREDENTIALS_DIRECTORY/p"); err == nil || !strings.Contains(err.Error(), "LoadCredential=") {
		t.Error(err)
	}
}

func TestSecret(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(config.Credentials, dir)
	for content, want := range map[string]string{
		"s3cret\n": "", "s3cret\r\n": "", "s3cret": "", "\n": "is empty", strings.Repeat("x", config.MaxSecret+1): "are no secret",
	} {
		if err := os.WriteFile(filepath.Join(dir, "p"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := config.Secret("$CREDENTIALS_DIRECTORY/p")
		if want == "" && (err != nil || got != "s3cret") || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.20q: %.20q, %v", content, got, err)
		}
	}
	if _, err := config.Secret(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
