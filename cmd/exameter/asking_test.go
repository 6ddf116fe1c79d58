package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/exameter/exameter/internal/language"
	"github.com/exameter/exameter/test/stub"
)

// stamps are the times of answers, which depend on when the test runs.
var stamps = regexp.MustCompile(`20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z`)

// locale makes a test speak a language.
func locale(t *testing.T, name string) {
	t.Helper()
	for _, v := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		t.Setenv(v, "")
	}
	t.Setenv("LANG", name)
}

// TestTables prints every question of the stub for people, in both languages.
func TestTables(t *testing.T) {
	c := stub.Start(t)
	t.Setenv("EXAMETER_COLLECTOR", c.URL)
	for name, args := range map[string]string{
		"pools":   "pools --sort free --gang 8",
		"match":   "match --count 480 --per-host 8 --memory 64GiB --domestic yes --max-age 30s --prefer-centre guian-north",
		"nomatch": "match --count 512 --per-host 8",
		"nowhere": "match --hosts 1 --model nothing",
		"hosts":   "hosts --centre guian-north",
		"devices": "hosts --centre guiyang-west --devices --state faulty,stale --online false --free-min 1 --name newcomer-041 00000",
		"centres": "centres --kind all",
		"explain": "explain --hosts 1 --centre guian-north,guiyang-west",
		"history": "history centre/guian-north --from 2026-11-23T08:00:00Z --to 2026-11-23T09:00:00Z --step 1m",
		"by":      "capacity --by centre,vendor",
	} {
		for _, language := range []string{"en_GB.UTF-8", "zh_CN.UTF-8"} {
			t.Run(name+" "+language, func(t *testing.T) {
				locale(t, language)
				out, said, status := exameter(t, strings.Fields(args)...)
				if want := map[bool]int{false: 0, true: 1}[name == "nomatch" || name == "nowhere"]; status != want {
					t.Errorf("status %d, want %d", status, want)
				}
				golden(t, name+"-"+language[:2]+".txt", stamps.ReplaceAllString(out+said, "TIME"))
			})
		}
	}
	if got := c.Undocumented(); len(got) > 0 {
		t.Errorf("the API does not have %v", got)
	}
}

// TestProgramsAreNotTranslated wants JSON and CSV to be the same in any language, exact, and well formed.
func TestProgramsAreNotTranslated(t *testing.T) {
	c := stub.Start(t)
	t.Setenv("EXAMETER_COLLECTOR", c.URL)
	for _, args := range []string{
		"centres", "explain",
	} {
		var first string
		for _, language := range []string{"C", "zh_CN.UTF-8"} {
			locale(t, language)
			out, said, status := exameter(t, append(strings.Fields(args), "-o", "csv")...)
			rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
			if status != 0 || err != nil || len(rows) < 3 || strings.ToLower(rows[0][0]) != rows[0][0] {
				t.Errorf("%s: status %d, %v, %d rows, %s", args, status, err, len(rows), said)
			}
			out = stamps.ReplaceAllString(out, "TIME")
			if first != "" && out != first {
				t.Errorf("%s: %s\nand in Chinese\n%s", args, first, out)
			}
			first = out
		}
		out, _, status := exameter(t, append(strings.Fields(args), "-o", "json")...)
		if status != 0 || !json.Valid([]byte(out)) || !strings.HasPrefix(out, `{"revision":`) {
			t.Errorf("%s: status %d, %s", args, status, out)
		}
	}
	for _, args := range []string{"capacity --by centre", "pools", "match --count 8", "hosts", "history"} {
		out, said, status := exameter(t, append(strings.Fields(args), "-o", "csv")...)
		if rows, err := csv.NewReader(strings.NewReader(out)).ReadAll(); status != 0 || err != nil || len(rows) < 3 {
			t.Errorf("%s: status %d, %v, %s%s", args, status, err, out, said)
		}
		if asked := c.Asked(); !strings.Contains(asked[len(asked)-1], "format=csv") {
			t.Errorf("%s: the collector's own rows were not asked for: %s", args, asked[len(asked)-1])
		}
	}
}

func TestCSVIsHarmless(t *testing.T) {
	got, err := csvText([][]string{{"=1+1", "-x", "@a", "+b", "\tc", "fine", ""}})
	if err != nil || string(got) != "'=1+1,'-x,'@a,'+b,'\tc,fine,\n" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestMatchSaysWhatIsShort also where a program reads the answer.
func TestMatchSaysWhatIsShort(t *testing.T) {
	t.Setenv("EXAMETER_COLLECTOR", stub.Start(t).URL)
	locale(t, "C")
	out, said, status := exameter(t, "match", "--count", "512", "--per-host", "8", "-o", "json")
	if status != 1 || !json.Valid([]byte(out)) || said != "exameter: it fits in none of 5 pools; the best needs 64 hosts with 8 free and has 61\n" {
		t.Errorf("status %d, said %q, %s", status, said, out)
	}
	out, said, status = exameter(t, "match", "--count", "512", "--per-host", "8", "-o", "csv")
	if status != 1 || !strings.HasPrefix(out, "rank,") || said != "exameter: it fits nowhere: the best pool needs 64 hosts with 8 free; it has 61\n" {
		t.Errorf("status %d, said %q, %s", status, said, out)
	}
	if _, said, status = exameter(t, "match", "--hosts", "1", "--model", "nothing", "-o", "csv"); status != 1 || said != "exameter: it fits nowhere: no pool matches\n" {
		t.Errorf("status %d, said %q", status, said)
	}
	if out, said, status = exameter(t, "match", "--count", "8", "--per-host", "8", "-o", "csv"); status != 0 || said != "" || !strings.HasPrefix(out, "rank,") {
		t.Errorf("status %d, said %q, %s", status, said, out)
	}
}

// TestWatches shows pools and matches again and again, one below the other off a terminal.
func TestWatches(t *testing.T) {
	c := stub.Start(t)
	locale(t, "C")
	for _, args := range []string{"pools", "match --count 8"} {
		ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
		out, said, status := exameterUntil(ctx, append(strings.Fields(args), "--collector", c.URL, "--watch", "--every", "100ms")...)
		cancel()
		if n := strings.Count(out, "CENTRE"); status != 0 || n < 3 || n > 9 || strings.Contains(out, "\x1b") {
			t.Errorf("%s: status %d, %d tables, %s", args, status, n, said)
		}
	}
}

// TestSecondCollectorTakesOver asks the second address where the first one does not answer.
func TestSecondCollectorTakesOver(t *testing.T) {
	c := stub.Start(t)
	if out, said, status := exameter(t, "pools", "--collector", "http://127.0.0.1:1,"+c.URL, "-o", "json"); status != 0 || !json.Valid([]byte(out)) {
		t.Errorf("status %d, %s", status, said)
	}
}

func TestChinese(t *testing.T) {
	for _, tc := range []struct {
		all, messages, lang string
		want                bool
	}{
		{"", "", "", false},
		{"", "", "zh_CN.UTF-8", true},
		{"C", "", "zh_CN.UTF-8", false},
		{"", "zh_TW", "en_US.UTF-8", true},
		{"", "en_US", "zh_CN", false},
		{"", "", "zh", true},
		{"", "", "zh-Hans", true},
		{"", "", "zha_CN", false},
		{"", "", "POSIX", false},
	} {
		env := map[string]string{"LC_ALL": tc.all, "LC_MESSAGES": tc.messages, "LANG": tc.lang}
		if got := language.Chinese(func(name string) string { return env[name] }); got != tc.want {
			t.Errorf("%+v: %v", tc, got)
		}
	}
}

// TestCompletion completes what a shell asks for.
func TestCompletion(t *testing.T) {
	t.Setenv("EXAMETER_COLLECTOR", stub.Start(t).URL)
	for args, want := range map[string]string{
		"__complete po":                        "pools",
		"__complete capacity --by c":           "class",
		"__complete match --order ":            "spread",
		"__complete pools --centre ":           "guian-north",
		"__complete pools --vendor h":          "huawei",
		"__complete pools --model nvidia-h200": "nvidia-h200-sxm",
		"__complete hosts --state ":            "faulty",
		"__complete completion ":               "fish",
		"__complete capacity -o ":              "csv",
	} {
		words := strings.Split(args, " ")
		out, said, status := exameter(t, words...)
		if lines := strings.Split(out, "\n"); status != 0 || !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, want) }) {
			t.Errorf("%s: status %d, %q, want %s; %s", args, status, out, want, said)
		}
	}
}

// TestScreenFits leaves lines out of the middle where a terminal has too few rows.
func TestScreenFits(t *testing.T) {
	locale(t, "C")
	var text bytes.Buffer
	for i := range 30 {
		fmt.Fprintf(&text, "line %d\n", i)
	}
	for rows, want := range map[int]int{0: 30, 1: 30, 2: 30, 3: 2, 5: 4, 10: 9, 24: 23, 30: 29, 31: 30, 80: 30} {
		s := &screen{place: true, rows: func() int { return rows }}
		got := string(s.fitting(text.Bytes(), 0))
		if n := strings.Count(got, "\n"); n != want {
			t.Errorf("%d rows: %d lines, want %d\n%s", rows, n, want, got)
		}
		if rows == 24 && (!strings.HasPrefix(got, "line 0\n") || !strings.HasSuffix(got, "line 29\n") || !strings.Contains(got, "line 15\n… 8 more lines\nline 24\n")) {
			t.Errorf("%d rows:\n%s", rows, got)
		}
	}
}
