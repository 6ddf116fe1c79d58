package examples

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/exameter/exameter/test/stub"
)

const bigModel = "huawei-ascend-910b2"

// TestDispatchers gives both dispatchers the same jobs. One fits, one fits only beside the pool that was just given the first,
// and one only once a large job ends.
func TestDispatchers(t *testing.T) {
	dir := t.TempDir()
	binary := filepath.Join(dir, "dispatcher-go")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./dispatcher-go").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	jobs := filepath.Join(dir, "jobs.txt")
	if err := os.WriteFile(jobs, []byte("first 480 8\n\nsecond 64 8\nlarge 520 8\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, command := range map[string][]string{
		"go":     {binary, "-settle", "2s", "-collectors"},
		"python": {"python3", "dispatcher-python/dispatcher.py", "--settle", "2", "--collectors"},
	} {
		t.Run(name, func(t *testing.T) {
			c := stub.Start(t)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			free := time.AfterFunc(time.Second, func() { c.Set("guian-north", bigModel, 70) })
			defer free.Stop()
			begun := time.Now()
			out := start(ctx, t, append(command, "http://127.0.0.1:1,"+c.URL, jobs)...)
			for _, want := range []string{
				"start first: 480 × " + bigModel + " in guian-north/train, by revision 812345\n",
				"start second: 64 × " + bigModel + " in guian-south/default, by revision 812345\n",
				"wait large: it fits in none of 5 pools; the best needs 65 hosts with 8 free and has 61\n",
				"wait large: the pools that have room were given jobs just now\n",
				"start large: 520 × " + bigModel + " in guian-north/train, by revision 812346\n",
			} {
				at := strings.Index(out, want)
				if at < 0 {
					t.Fatalf("no %q, in this order, in\n%s", want, out)
				}
				out = out[at+len(want):]
			}
			if took := time.Since(begun); took < 2*time.Second || took > 20*time.Second {
				t.Errorf("took %s", took)
			}
			if got := c.Undocumented(); len(got) > 0 {
				t.Error(got)
			}
		})
	}
}

// TestDispatchersShowTheirToken starts a job by a collector that asks for a token.
func TestDispatchersShowTheirToken(t *testing.T) {
	dir := t.TempDir()
	jobs, token := filepath.Join(dir, "jobs.txt"), filepath.Join(dir, "token")
	for path, text := range map[string]string{jobs: "first 480 8\n", token: "secret\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, command := range map[string][]string{"go": {"go", "run", "./dispatcher-go"}, "python": {"python3", "dispatcher-python/dispatcher.py"}} {
		t.Run(name, func(t *testing.T) {
			behind, err := url.Parse(stub.Start(t).URL)
			if err != nil {
				t.Fatal(err)
			}
			proxy := httputil.NewSingleHostReverseProxy(behind)
			guarded := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") != "Bearer secret" {
					http.Error(w, "{}", http.StatusUnauthorized)
					return
				}
				proxy.ServeHTTP(w, r)
			}))
			defer guarded.Close()
			args := append(command[1:], "--collectors", guarded.URL, "--token-file", token, jobs)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			if out := start(ctx, t, append(command[:1:1], args...)...); !strings.Contains(out, "start first: ") {
				t.Error(out)
			}
		})
	}
}

// TestDispatchersRefuse says what is wrong and fails.
func TestDispatchersRefuse(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "jobs.txt")
	if err := os.WriteFile(bad, []byte("fine 8 8\nbad eight 8\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"go", "run", "./dispatcher-go"}, {"python3", "dispatcher-python/dispatcher.py"}} {
		out, err := exec.CommandContext(t.Context(), command[0], append(command[1:], bad)...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "jobs.txt:2: ") {
			t.Errorf("%v: %v\n%s", command, err, out)
		}
		good := filepath.Join(t.TempDir(), "jobs.txt")
		if err := os.WriteFile(good, []byte("fine 8 8\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		args := append(command[1:], "--collectors", "http://127.0.0.1:1", good)
		if out, err := exec.CommandContext(t.Context(), command[0], args...).CombinedOutput(); err == nil || !strings.Contains(string(out), "127.0.0.1:1") {
			t.Errorf("%v without a collector: %v\n%s", command, err, out)
		}
	}
}

// TestShell runs the lines of shell in README.md as they stand there.
func TestShell(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := regexp.MustCompile("(?s)```sh\n(.*?)\n```").FindAllStringSubmatch(string(text), -1)
	want := []string{"guian-north " + bigModel + "\nguian-south " + bigModel + "\n", "556 guian-north\n104 guian-south\n32 guiyang-west\n", "812346\n"}
	if len(lines) != len(want) {
		t.Fatalf("%d lines of shell", len(lines))
	}
	for i, line := range lines {
		c := stub.Start(t)
		if i == 2 {
			changing := time.AfterFunc(500*time.Millisecond, func() { c.Set("guian-north", bigModel, 70) })
			defer changing.Stop()
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		t.Setenv("COLLECTOR", c.URL)
		if out := start(ctx, t, "bash", "-c", line[1]); out != want[i] {
			t.Errorf("%s\nprints\n%s\nwant\n%s", line[1], out, want[i])
		}
		cancel()
	}
}

// start runs a program and returns what it prints.
func start(ctx context.Context, t *testing.T, command ...string) string {
	t.Helper()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	// A file: what a line of shell leaves behind for a moment holds a pipe open.
	errs, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer errs.Close()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, errs
	if err := cmd.Run(); err != nil {
		said, _ := os.ReadFile(errs.Name())
		t.Fatalf("%v: %v\n%s%s", command, err, out.String(), said)
	}
	return out.String()
}
