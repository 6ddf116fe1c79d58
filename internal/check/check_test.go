package check

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/exameter/exameter/internal/language"
	"github.com/exameter/exameter/internal/language/languagetest"
)

func TestEverythingIsSaidInChinese(t *testing.T) {
	languagetest.Complete(t, ".", chinese, remedies(t), languagetest.Report...)
}

// remedies are the texts that brokerRemedy returns.
func remedies(t *testing.T) (out []string) {
	t.Helper()
	b, err := os.ReadFile("kafka.go")
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(b), "func brokerRemedy")
	for line := range strings.Lines(body) {
		if s, ok := strings.CutPrefix(strings.TrimSpace(line), `return "`); ok {
			out = append(out, strings.TrimSuffix(s, `"`))
		}
	}
	if len(out) < 8 {
		t.Fatalf("%d remedies", len(out))
	}
	return out
}

func TestTextAndSum(t *testing.T) {
	var out bytes.Buffer
	r := &Report{Out: &out}
	r.OK("one", "is %d", 1)
	r.Warn("two things", "is\nodd")
	r.Do("straighten %s", "it")
	if err := r.End(); err != nil || r.Failed() {
		t.Error(err, r.Failed())
	}
	r.Fail("three", "is broken")
	if err := r.End(); err != nil || !r.Failed() {
		t.Error(err, r.Failed())
	}
	want := "ok    one               is 1\n" +
		"warn  two things        is odd\n" +
		"                        → straighten it\n\nIt works. To be looked at: 1.\n" +
		"FAIL  three             is broken\n\nTo be mended: 1. To be looked at: 1.\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
}

func TestChineseKeepsItsColumns(t *testing.T) {
	t.Setenv("LC_ALL", "zh_CN.UTF-8")
	var out bytes.Buffer
	r := New("p", "v", &out, false, map[string]string{"thing": "物件"})
	r.OK("thing", "%s is empty", "x")
	if want := "正常  物件              x 为空\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
	if r.Speaker.Say("no text of ours") != "no text of ours" || (language.Speaker{}).Say("ok") != "ok" {
		t.Error("what is not translated is not said in English")
	}
}

func TestJSONIsEnglishAndOneDocument(t *testing.T) {
	t.Setenv("LC_ALL", "zh_CN.UTF-8")
	var out bytes.Buffer
	r := New("p", "v", &out, true, nil)
	r.Fail("secret x", "%s is empty", "f")
	r.Do("write <it>")
	if err := r.End(); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Program, Version, Result string
		Findings                 []Finding
	}
	if err := json.Unmarshal(out.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Program != "p" || doc.Result != "fail" || len(doc.Findings) != 1 || doc.Findings[0] != (Finding{Fail, "secret x", "f is empty", "write <it>"}) {
		t.Errorf("%+v", doc)
	}
}

func TestSecret(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	for name, c := range map[string]struct {
		content string
		mode    os.FileMode
		path    string
		want    string
	}{
		"kept":      {"s", 0o640, "", "ok    secret password  "},
		"open":      {"s", 0o644, "", "may read"},
		"empty":     {"", 0o600, "", "is empty"},
		"missing":   {"", 0, "none", "there is no "},
		"of a unit": {"s", 0o400, "$CREDENTIALS_DIRECTORY/of a unit", "ok    secret password  "},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, name)
			if c.path == "none" {
				path += "none"
			} else if err := os.WriteFile(path, []byte(c.content), c.mode); err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(c.path, "$") {
				path = c.path
			}
			var out bytes.Buffer
			r := &Report{Out: &out}
			r.Secret("kafka.sasl.password", path)
			if !strings.Contains(out.String(), c.want) || r.Failed() == strings.HasPrefix(c.want, "ok") {
				t.Errorf("%s", &out)
			}
		})
	}
}

func TestUnit(t *testing.T) {
	shown := func(pairs string) string {
		return strings.ReplaceAll("LoadState=loaded ActiveState=active SubState=running Result=success NRestarts=0 UnitFileState=enabled WatchdogUSec=30s "+pairs, " ", "\n")
	}
	for pairs, want := range map[string]string{
		"StatusText=well":                       "ok    service           u is active, watchdog 30s, 0 restarts: well",
		"LoadState=not-found":                   "ok    service           no unit u is installed",
		"LoadState=masked":                      "FAIL  service           u is masked",
		"ActiveState=failed Result=exit-code":   "FAIL  service           u has failed: exit-code",
		"ActiveState=inactive":                  "warn  service           u does not run",
		"SubState=auto-restart Result=watchdog": "FAIL  service           u ends and is started again",
		"UnitFileState=disabled":                "warn  service           u runs, and would not after a boot",
		"WatchdogUSec=0":                        "warn  service           u runs without a watchdog",
	} {
		var out bytes.Buffer
		r := &Report{Out: &out}
		r.unit("u", shown(pairs))
		if !strings.HasPrefix(out.String(), want) {
			t.Errorf("%s:\ngot  %swant %s", pairs, &out, want)
		}
	}
}
