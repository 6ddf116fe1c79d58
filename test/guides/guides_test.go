// Package guides holds the guides in docs/ and both READMEs against the programs: their commands run, their links lead somewhere, and what they name is there.
package guides

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/exameter/exameter/test/process"
)

// pages are the documents that people read, by their path from the root.
func pages(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, pattern := range []string{"../../*.md", "../../docs/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range found {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			out[path[len("../../"):]] = string(b)
		}
	}
	if len(out) < 20 {
		t.Fatalf("there are %d pages only", len(out))
	}
	return out
}

var runnable = regexp.MustCompile("(?ms)^```sh test\n(.*?)^```$")

// script puts a page's blocks that are marked as "sh test" together.
func script(page string) string {
	var b strings.Builder
	for _, m := range runnable.FindAllStringSubmatch(page, -1) {
		b.WriteString(m[1] + "\n")
	}
	return b.String()
}

// TestCommands runs the commands of each page in their order, as a reader would who types them: in an empty folder, beside a demo that answers where
// the page says that a collector does. Paths below /etc and /var and the other addresses are made the test's own.
func TestCommands(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	bin := t.TempDir()
	if err := process.Build(ctx, bin, "0.0.0+guides", "exameter", "exameter-agent", "exameter-collector"); err != nil {
		t.Fatal(err)
	}
	addr := process.FreeAddr(t)
	demo, err := process.Start(filepath.Join(bin, "demo.log"), nil, filepath.Join(bin, "exameter"), "demo", "--hosts", "300", "--listen", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = demo.Stop(20 * time.Second) })
	for {
		resp, err := http.Get("http://" + addr + "/readyz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK && strings.Contains(demo.Log(), "Every host has reported") {
				break
			}
		}
		if ctx.Err() != nil || !demo.Running() {
			t.Fatalf("the demo does not answer\n%s", demo.Log())
		}
		time.Sleep(200 * time.Millisecond)
	}
	ran := 0
	for name, page := range pages(t) {
		text := script(page)
		if text == "" {
			continue
		}
		ran++
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.Symlink(bin, filepath.Join(dir, "bin")); err != nil { // as the demo leaves the programs
				t.Fatal(err)
			}
			own := map[string]string{"127.0.0.1:8470": addr}
			text = loopback.ReplaceAllStringFunc(text, func(a string) string {
				if own[a] == "" {
					own[a] = process.FreeAddr(t)
				}
				return own[a]
			})
			text = strings.NewReplacer("/etc/exameter", dir+"/etc", "/var/lib/exameter", dir+"/var").Replace(text)
			log, err := os.Create(filepath.Join(dir, "said"))
			if err != nil {
				t.Fatal(err)
			}
			defer log.Close()
			cmd := process.Command(ctx, "bash", "-euo", "pipefail", "-xc", "trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT\n"+text)
			cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
			cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "LC_ALL=C", "EXAMETER_COLLECTOR=http://"+addr)
			if err := cmd.Run(); err != nil {
				said, _ := os.ReadFile(log.Name())
				t.Errorf("%v\n%s", err, said)
			}
		})
	}
	if ran < 5 {
		t.Errorf("%d pages have commands that run, want more", ran)
	}
}

var loopback = regexp.MustCompile(`127\.0\.0\.1:[0-9]{4}\b`)

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	fenced  = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	span    = regexp.MustCompile("`[^`\n]*`")
)

// anchors are what a page's headings are called in links, as GitHub makes them.
func anchors(page string) map[string]bool {
	out := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(page, ""), -1) {
		name := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		out[strings.ReplaceAll(name, " ", "-")] = true
	}
	return out
}

// TestLinks follows every link within the project, to its heading.
func TestLinks(t *testing.T) {
	all := pages(t)
	for name, page := range all {
		for _, m := range link.FindAllStringSubmatch(span.ReplaceAllString(fenced.ReplaceAllString(page, ""), ""), -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, ":") {
				continue
			}
			path := name
			if target != "" {
				path = filepath.Join(filepath.Dir(name), target)
			}
			if _, err := os.Stat("../../" + path); errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %s leads nowhere", name, m[1])
			} else if text, known := all[path]; anchor != "" && known && !anchors(text)[anchor] {
				t.Errorf("%s: %s has no heading %s", name, path, anchor)
			}
		}
	}
}

// TestAttempts looks for the tests that docs/security.md says there are.
func TestAttempts(t *testing.T) {
	_, attempts, _ := strings.Cut(pages(t)["docs/security.md"], "\n## Attempts\n")
	named := regexp.MustCompile("`([a-z0-9/]+)` ((?:Test|Fuzz)[A-Za-z]+)").FindAllStringSubmatch(attempts, -1)
	if len(named) < 20 {
		t.Fatalf("docs/security.md names %d tests only", len(named))
	}
	for _, m := range named {
		files, err := filepath.Glob("../../" + m[1] + "/*_test.go")
		if err != nil {
			t.Fatal(err)
		}
		there := false
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			there = there || strings.Contains(string(b), fmt.Sprintf("\nfunc %s(", m[2]))
		}
		if !there {
			t.Errorf("docs/security.md names %s in %s, which is not there", m[2], m[1])
		}
	}
}

// TestReadme holds the Chinese README against the English one: the same headings, commands and links, in the same order.
func TestReadme(t *testing.T) {
	all := pages(t)
	en, zh := all["README.md"], all["README.zh.md"]
	for what, of := range map[string]func(string) []string{"headings": levels, "blocks of code": blocks, "links": links} {
		e, z := of(en), of(zh)
		if len(e) == 0 {
			t.Errorf("README.md has no %s", what)
		}
		for i := range max(len(e), len(z)) {
			if i >= len(e) || i >= len(z) || e[i] != z[i] {
				t.Errorf("%s of README.md and README.zh.md differ, from number %d on:\n%q\n%q", what, i+1, e[min(i, len(e)):], z[min(i, len(z)):])
				break
			}
		}
	}
}

// levels are how deep a page's headings are.
func levels(page string) (out []string) {
	for _, m := range regexp.MustCompile(`(?m)^(#+) `).FindAllStringSubmatch(fenced.ReplaceAllString(page, ""), -1) {
		out = append(out, m[1])
	}
	return out
}

// blocks are a page's blocks of code, without the remarks in them, which are in the page's language, and so without the spaces that go with them.
func blocks(page string) (out []string) {
	for _, b := range fenced.FindAllString(page, -1) {
		b = regexp.MustCompile(`#.*`).ReplaceAllString(b, "")
		if strings.Contains(b, "─") {
			b = "a drawing, with words in it"
		}
		out = append(out, strings.Join(strings.Fields(b), " "))
	}
	return out
}

// links are where a page's links lead. Each README links to the other.
func links(page string) (out []string) {
	for _, m := range link.FindAllStringSubmatch(page, -1) {
		if !strings.HasPrefix(m[1], "README") {
			out = append(out, m[1])
		}
	}
	return out
}
