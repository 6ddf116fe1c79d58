// Package config reads the YAML configuration of Exameter's programs: strictly, so that a misspelt key or a wrong unit
// is refused at start with its file and line.
package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// MaxBytes bounds a configuration file.
const MaxBytes = 1 << 20

// Load reads the file at path into v, as Read does.
func Load(path string, v any) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	defer f.Close()
	return Read(f, path, v)
}

// Read decodes one YAML document into v, which holds the defaults. Unknown and repeated keys are refused. An error
// begins with name:line:column. If v has a method Validate() error, it is called last: an *Error it returns is given
// the place of the key it names.
func Read(r io.Reader, name string, v any) error {
	b, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if len(b) > MaxBytes {
		return fmt.Errorf("%s: more than %d bytes", name, MaxBytes)
	}
	if err := checkDepth(b); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	file, err := parser.ParseBytes(b, 0)
	if err != nil {
		return place(name, err)
	}
	if len(file.Docs) > 1 {
		return fmt.Errorf("%s: more than one YAML document", name)
	}
	if len(file.Docs) == 1 && file.Docs[0].Body != nil {
		if t := tagOf(file.Docs[0].Body); t != nil {
			return fmt.Errorf("%s:%d:%d: %s is a tag, which nothing here has", name, t.Position.Line, t.Position.Column, t.Value)
		}
		if err := checkAliases(file.Docs[0].Body); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := yaml.NewDecoder(strings.NewReader(string(b)), yaml.Strict()).Decode(v); err != nil && !errors.Is(err, io.EOF) {
			return place(name, err)
		}
	}
	val, ok := v.(interface{ Validate() error })
	if !ok {
		return nil
	}
	err = val.Validate()
	var ce *Error
	if errors.As(err, &ce) {
		if line := lineOf(file, ce.Other); ce.Other != "" && line > 0 {
			err = fmt.Errorf("%w: see %s, line %d", ce, ce.Other, line)
		}
		if line := lineOf(file, ce.Key); line > 0 {
			return fmt.Errorf("%s:%d: %w", name, line, err)
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// tags finds the first tag (!name) of a document, which the decoder cannot be trusted with: it panics where a list or a map is wanted.
type tags struct{ first *token.Token }

func (f *tags) Visit(n ast.Node) ast.Visitor {
	if t, ok := n.(*ast.TagNode); ok && f.first == nil {
		f.first = t.GetToken()
	}
	return f
}

func tagOf(body ast.Node) *token.Token {
	f := &tags{}
	ast.Walk(f, body)
	return f.first
}

// Error says what is wrong with the value of one key, named by its path (kafka.brokers, centres[2].id).
type Error struct {
	Key   string
	Other string // the key of what it cannot stand beside; empty where there is none
	Err   error
}

// Errorf makes an *Error.
func Errorf(key, format string, args ...any) *Error {
	return &Error{Key: key, Err: fmt.Errorf(format, args...)}
}

// Beside names the key of what the value cannot stand beside, whose line is told too.
func (e *Error) Beside(key string) *Error {
	e.Other = key
	return e
}

func (e *Error) Error() string { return e.Key + ": " + e.Err.Error() }

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

func place(name string, err error) error {
	var m *misplaced
	if errors.As(err, &m) {
		return fmt.Errorf("%s:%d:%d: %w", name, m.line, m.column, m)
	}
	var ye yaml.Error
	if errors.As(err, &ye) {
		if t := ye.GetToken(); t != nil {
			return fmt.Errorf("%s:%d:%d: %s", name, t.Position.Line, t.Position.Column, strings.TrimSpace(ye.GetMessage()))
		}
		return fmt.Errorf("%s: %s", name, ye.GetMessage())
	}
	return fmt.Errorf("%s: %w", name, err)
}

// lineOf finds the line of a key by its path; where the key is absent, the line of its nearest parent.
func lineOf(f *ast.File, key string) int {
	for key != "" {
		if p, err := yaml.PathString("$." + key); err == nil {
			if n, err := p.FilterFile(f); err == nil && n != nil && n.GetToken() != nil {
				return n.GetToken().Position.Line
			}
		}
		i := strings.LastIndexAny(key, ".[")
		if i < 0 {
			return 0
		}
		key = key[:i]
	}
	return 0
}

// Credentials is the variable that systemd sets for a service with LoadCredential= or ImportCredential=: the directory of its secrets.
const Credentials = "CREDENTIALS_DIRECTORY"

// Expand returns the path that a setting names. $CREDENTIALS_DIRECTORY at its beginning is the directory where systemd puts a service's
// secrets; no other variable is looked at.
func Expand(path string) (string, error) {
	rest, ok := strings.CutPrefix(path, "$"+Credentials)
	if !ok {
		rest, ok = strings.CutPrefix(path, "${"+Credentials+"}")
	}
	if !ok {
		return path, nil
	}
	dir := os.Getenv(Credentials)
	if dir == "" {
		return "", fmt.Errorf("%q: $%s is not set: systemd sets it for a service with LoadCredential=", path, Credentials)
	}
	if !strings.HasPrefix(rest, "/") {
		return "", fmt.Errorf("%q: a name is missing after $%s/", path, Credentials)
	}
	return filepath.Join(dir, filepath.Clean(rest)), nil
}

// MaxSecret bounds a file with a secret.
const MaxSecret = 64 << 10

// Secret returns what stands in the file that a setting names, without the end of its last line.
func Secret(path string) (string, error) {
	path, err := Expand(path)
	if err != nil {
		return "", err
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, MaxSecret+1))
	if err != nil {
		return "", err
	}
	if len(b) > MaxSecret {
		return "", fmt.Errorf("%s: more than %d bytes are no secret", path, MaxSecret)
	}
	secret := strings.TrimRight(string(b), "\r\n")
	if secret == "" {
		return "", fmt.Errorf("%s is empty", path)
	}
	return secret, nil
}

// Duration is a length of time with its unit: 250ms, 30s, 5m, 1h30m.
type Duration time.Duration

// UnmarshalYAML accepts what time.ParseDuration does, above or equal to zero.
func (d *Duration) UnmarshalYAML(n ast.Node) error {
	s := scalar(n)
	v, err := time.ParseDuration(s)
	if err != nil || v < 0 {
		return at(n, "%q is not a length of time: want a number with a unit, such as 250ms, 30s or 1h", s)
	}
	*d = Duration(v)
	return nil
}

// MarshalYAML prints the duration with its unit.
func (d Duration) MarshalYAML() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// D returns the duration as the standard library's type.
func (d Duration) D() time.Duration { return time.Duration(d) }

// Size is an amount of bytes with its unit: 512KiB, 64MiB, 2GiB, or plain bytes as 1024B.
type Size int64

// UnmarshalYAML accepts a whole number with one of the units B, KiB, MiB, GiB, TiB, KB, MB, GB, TB.
func (z *Size) UnmarshalYAML(n ast.Node) error {
	s := scalar(n)
	i := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	if i <= 0 {
		return at(n, "%q is not a size: want a whole number with a unit, such as 64MiB", s)
	}
	v, err := strconv.ParseInt(s[:i], 10, 64)
	unit, known := sizes[strings.TrimSpace(s[i:])]
	if err != nil || !known || v > (1<<62)/unit {
		return at(n, "%q is not a size: want a whole number with a unit, such as 64MiB", s)
	}
	*z = Size(v * unit)
	return nil
}

var sizes = map[string]int64{
	"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
	"KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
}

// Percent is a share written with its sign: 5%, 0.5%. It is kept in thousandths of one: 5% is 50.
type Percent int64

// UnmarshalYAML accepts a number from 0 to 100 with a percent sign.
func (p *Percent) UnmarshalYAML(n ast.Node) error {
	s := scalar(n)
	num, found := strings.CutSuffix(s, "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(num), 64)
	if !found || err != nil || !(v >= 0 && v <= 100) {
		return at(n, "%q is not a share: want a number from 0 to 100 with a percent sign, such as 5%%", s)
	}
	*p = Percent(v*10 + 0.5)
	return nil
}

// scalar returns the text of a plain or quoted value; of anything else its source, which no unit matches.
func scalar(n ast.Node) string {
	if str, ok := n.(*ast.StringNode); ok {
		return str.Value
	}
	return strings.TrimSpace(n.String())
}

// misplaced is an error with its place in the file.
type misplaced struct {
	line, column int
	text         string
}

func (m *misplaced) Error() string { return m.text }

func at(n ast.Node, format string, args ...any) error {
	m := &misplaced{text: fmt.Sprintf(format, args...)}
	if t := n.GetToken(); t != nil && t.Position != nil {
		m.line, m.column = t.Position.Line, t.Position.Column
	}
	return m
}
