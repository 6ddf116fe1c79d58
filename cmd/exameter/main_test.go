package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

// child, when set, makes the test binary the program itself, with the arguments that it holds line by line.
const child = "EXAMETER_TEST_ARGS"

func TestMain(m *testing.M) {
	if args, ok := os.LookupEnv(child); ok {
		os.Args = append([]string{"exameter"}, strings.Split(args, "\n")...)
		main()
	}
	os.Setenv("LC_ALL", "C") // whoever runs the tests
	os.Exit(m.Run())
}

// exameter runs the program and returns what it printed and its exit status.
func exameter(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	return exameterUntil(ctx, args...)
}

func exameterUntil(ctx context.Context, args ...string) (stdout, stderr string, status int) {
	var out, errs bytes.Buffer
	status = code(run(ctx, args, strings.NewReader(""), &out, &errs), &errs)
	return out.String(), errs.String(), status
}

// golden holds text against a file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

// eventually asks until there is no complaint.
func eventually(t *testing.T, within time.Duration, ask func() error) {
	t.Helper()
	deadline := time.Now().Add(within)
	for {
		err := ask()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %s: %v", within, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func TestUsage(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		args   string
		status int
		says   string
	}{
		{"", 0, ""},
		{"--help", 0, ""},
		{"capacity --help", 0, ""},
		{"catalog --help", 0, ""},
		{"topics", 0, ""},
		{"topics create --help", 0, ""},
		{"simulate --help", 0, ""},
		{"demo --help", 0, ""},
		{"standalone --help", 0, ""},
		{"version", 0, ""},

		{"nonsense", 2, `unknown command "nonsense"`},
		{"capactiy", 2, "did you mean capacity?"},
		{"--nope", 2, "unknown flag: --nope"},
		{"version now", 2, `unexpected argument "now"`},
		{"topics destroy", 2, `unexpected argument "destroy"`},
		{"capacity --nope", 2, "unknown flag: --nope"},
		{"capacity guian", 2, `unexpected argument "guian"`},
		{"capacity -o yaml", 2, "want one of table, json, csv"},
		{"capacity --by rack", 2, `"rack" is not a dimension`},
		{"capacity --precision fp4", 2, `"fp4" is not a precision`},
		{"capacity --kind gpu", 2, `"gpu" is not one of accelerator, cpu, all`},
		{"capacity --every 1ms", 2, "1ms is below 100ms"},
		{"capacity --collector nowhere", 2, `collector "nowhere" is not a URL`},
		{"capacity --collector ftp://a", 2, `collector "ftp://a" is not a URL`},
		{"capacity --timeout soon", 2, "soon"},
		{"capacity --every 0", 2, "0s is below 100ms"},
		{"capacity --timeout 0", 2, "0s is not above zero"},
		{"capacity --cert /x", 1, "without its key"},
		{"capacity --collector http://192.0.2.1:8470 --token-file /x", 2, "want https"},
		{"pools --gang 17", 2, "17 is not between 1 and 16"},
		{"pools --sort size", 2, "want one of name, free, eflops, age"},
		{"pools --limit -1", 2, "below zero"},
		{"match", 2, "say how much"},
		{"match --count 8 --hosts 1", 2, "want one of them"},
		{"match --count 12 --per-host 8", 2, "12 is not a multiple of --per-host, 8"},
		{"match --count -8", 2, "below zero"},
		{"match --eflops NaN", 2, "beyond reason"},
		{"match --count 8 --memory 64", 2, `"64" is not a size`},
		{"match --count 8 --kind all", 2, "want one of them"},
		{"match --count 8 --max-age 1us", 2, "1µs is below 1ms"},
		{"match --count 8 --order best", 2, "want one of pack, spread"},
		{"match --count many", 2, "many"},
		{"hosts a b", 2, "2 arguments, want at most 1"},
		{"hosts --state idle", 2, `"idle" is not one of busy`},
		{"hosts --online perhaps", 2, `"perhaps" is not true or false`},
		{"hosts --limit 1001", 2, "between 1 and 1000"},
		{"centres --precision fp4", 2, `"fp4" is not a precision`},
		{"explain --hosts 101", 2, "101 is not between 0 and 100"},
		{"history --since 1h --from 2026-11-23T08:00:00Z", 2, "want one of them"},
		{"history --from yesterday", 2, `"yesterday" is not a time`},
		{"history --step 15s", 2, "multiple of 10s"},
		{"history --from 2026-11-23T08:00:00Z --to 2026-11-23T07:00:00Z", 2, "is not after the beginning"},
		{"completion tcsh", 2, `"tcsh" is not one of bash, zsh, fish`},
		{"completion", 2, "0 arguments, want at least 1"},
		{"completion bash", 0, ""},
		{"completion zsh", 0, ""},
		{"completion fish", 0, ""},
		{"catalog a b", 2, "2 arguments, want at most 1"},
		{"catalog --memory 64 K100", 2, `"64" is not a size`},
		{"catalog --unpriced K100", 2, "goes with neither NAME nor --cpu"},
		{"catalog --unpriced --precision fp4", 2, `"fp4" is not a precision`},
		{"catalog --unpriced --kind gpu", 2, `"gpu" is not one of accelerator, cpu, all`},
		{"catalog --unpriced --collector nowhere", 2, `collector "nowhere" is not a URL`},
		{"catalog -o csv", 2, "only --unpriced"},
		{"topics create", 2, "no centre"},
		{"topics create --centre A_b", 2, `id "A_b"`},
		{"topics create --centre a", 2, "no broker"},
		{"topics create --centre a --partitions 0", 2, "--partitions: 0"},
		{"topics create --centre a --replicas 0", 2, "--replicas: 0"},
		{"topics create --centre a --brokers nohost", 2, `"nohost" is not host:port`},
		{"simulate", 2, "no broker"},
		{"simulate --hosts 0 --brokers a:1", 2, "above zero"},
		{"simulate --hosts -4 --brokers a:1", 2, "-4 hosts"},
		{"simulate --for -1s --brokers a:1", 2, "-1s is below zero"},
		{"simulate --speed NaN --brokers a:1", 2, "speed NaN"},
		{"simulate --centres atlantis --brokers a:1", 2, `"atlantis"`},
		{"demo --hosts 0", 2, "above zero"},
		{"demo --hosts 99999999", 2, "99999999 hosts"},
		{"demo --for -1s", 2, "below zero"},
		{"demo --listen nowhere", 2, `"nowhere" is not host:port`},
		{"demo -o csv", 2, "want one of table, json"},
		{"standalone", 2, "no data directory"},
		{"standalone --data " + dir, 2, "no centre"},
		{"standalone --centre a --data " + dir + " --listen-kafka 0.0.0.0:9092", 2, "--advertise"},
		{"standalone --centre a --data " + dir + " --listen-kafka :9092", 2, "--advertise"},
		{"standalone --centre a --data " + dir + " --advertise 0.0.0.0:9092", 2, `"0.0.0.0:9092" is not host:port`},
		{"standalone --centre a --data " + dir + " --listen-kafka 9092", 2, `"9092" is not host:port`},
		{"standalone --centre -a --data " + dir, 2, `id "-a"`},

		{"capacity --collector http://127.0.0.1:1", 1, "connection refused"},
		{"catalog --unpriced --collector http://127.0.0.1:1", 1, "connection refused"},
		{"catalog --override /nonexistent.csv", 1, "/nonexistent.csv"},
		{"topics create --centre a --kafka /nonexistent.yaml", 1, "/nonexistent.yaml"},
		{"standalone --centre a --data /dev/null/x", 1, "/dev/null"},
	} {
		stdout, stderr, status := exameter(t, strings.Fields(c.args)...)
		if status != c.status || !strings.Contains(stderr, c.says) {
			t.Errorf("exameter %s: status %d, want %d; said %q, want %q", c.args, status, c.status, stderr, c.says)
		}
		if status == 0 && stdout == "" {
			t.Errorf("exameter %s: printed nothing", c.args)
		}
		if status == 2 && (stdout != "" || !strings.Contains(stderr, "--help")) {
			t.Errorf("exameter %s: printed %q and said %q", c.args, stdout, stderr)
		}
	}
}

func TestTableAlignsWideCharacters(t *testing.T) {
	tb := &table{head: []string{"CENTRE", "N"}, left: 1}
	tb.add("贵安北", "1")
	tb.add("ascii", "22")
	tb.mark(&tb.bold)
	var plain, colour bytes.Buffer
	if err := tb.write(&plain, false); err != nil {
		t.Fatal(err)
	}
	if want := "CENTRE   N\n贵安北   1\nascii   22\n"; plain.String() != want {
		t.Errorf("got\n%s\nwant\n%s", plain.String(), want)
	}
	if err := tb.write(&colour, true); err != nil || !strings.Contains(colour.String(), "\x1b[1mascii   22\x1b[0m") {
		t.Errorf("got %q, %v", colour.String(), err)
	}
}

func TestNamesCannotMoveTheCursor(t *testing.T) {
	if got := printable("a\x1b[2Jb\u009bc\r\n贵"); got != "a\uFFFD[2Jb\uFFFDc\uFFFD\uFFFD贵" {
		t.Errorf("got %q", got)
	}
	if got := printable("a\u202eb\u2066c"); got != "a\uFFFDb\uFFFDc" {
		t.Errorf("got %q", got)
	}
}

// TestAnswersCannotMoveTheCursor asks what answers with a terminal's orders wherever it may answer in words.
func TestAnswersCannotMoveTheCursor(t *testing.T) {
	const order = `\u001b[2J\u009bH\u202e`
	head := `"revision":1,"as_of":"2026-11-23T08:00:00Z","catalogue":"` + order + `","precision":"` + order + `","kind":"` + order + `"`
	host := `{"centre":"` + order + `","cluster":"` + order + `","host":"` + order + `","name":"` + order + `","devices":[{"id":"` + order + `","state":"` + order +
		`","reason":"` + order + `","vendor":"` + order + `","model":"` + order + `"}]}`
	pool := `{"rank":1,"centre":"` + order + `","cluster":"` + order + `","vendor":"` + order + `","model":"` + order + `","short":"` + order + `"}`
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/centres" { // in no words of HTTP at all
			c, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\x1b[2J\r\n\r\n")
				c.Close()
			}
			return
		}
		w.WriteHeader(status)
		fmt.Fprintf(w, `{%s,"detail":"%s","short":"%s","hosts":[%s],"missing":[{"centre":"%s","owner":"%s","why":"%s"}],"pools":[%s]}`, head, order, order, host, order, order, order, pool)
	}))
	defer server.Close()
	for _, status = range []int{http.StatusOK, http.StatusBadRequest} {
		for _, args := range [][]string{{"hosts"}, {"hosts", "--devices"}, {"match", "--count", "1"}, {"centres"}, {"export", "slurm"}, {"capacity"}, {"match", "--count", "1", "--watch"}} {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			if slices.Contains(args, "--watch") {
				ctx, cancel = context.WithTimeout(t.Context(), time.Second)
			}
			out, said, _ := exameterUntil(ctx, append(args, "--collector", server.URL)...)
			cancel()
			if out+said == "" {
				t.Errorf("%v, %d: nothing is said", args, status)
			}
			if at := strings.IndexAny(out+said, "\x1b\u009b\u202e"); at >= 0 {
				t.Errorf("%v, %d: %.60q", args, status, (out + said)[at:])
			}
		}
	}
}

func TestScreen(t *testing.T) {
	var b bytes.Buffer
	s := newScreen(&b)
	for i := range 2 {
		if err := s.show(fmt.Appendf(nil, "%d\n", i), 0); err != nil {
			t.Fatal(err)
		}
	}
	if b.String() != "0\n\n1\n" {
		t.Errorf("off a terminal: %q", b.String())
	}
	b.Reset()
	s = &screen{out: io.Writer(&b), place: true}
	for i := range 2 {
		if err := s.show(fmt.Appendf(nil, "%d\n", i), 0); err != nil {
			t.Fatal(err)
		}
	}
	// It does not wrap lines while it draws.
	if b.String() != "\x1b[2J\x1b[?7l\x1b[H0\x1b[K\n\x1b[J\x1b[?7h\x1b[?7l\x1b[H1\x1b[K\n\x1b[J\x1b[?7h" {
		t.Errorf("on a terminal: %q", b.String())
	}
}
