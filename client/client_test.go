package client

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// answer is a capacity document of a revision.
func answer(revision int64, asOf string) string {
	return fmt.Sprintf(`{"revision":%d,"as_of":"2026-11-23T08:00:%sZ","catalogue":"2026.11","precision":"class","kind":"accelerator","by":[],`+
		`"parts":{"total":1,"current":1,"behind":0,"oldest_s":0.1},"total":{"devices":{"rated":8},"eflops":{"rated":0.007916}},"groups":[]}`, revision, asOf)
}

// collector is a stub that gives its answers one after the other, the last one again and again.
func collector(t *testing.T, answers ...http.HandlerFunc) (address string, asked *atomic.Int64) {
	t.Helper()
	asked = &atomic.Int64{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answers[min(int(asked.Add(1)), len(answers))-1](w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL, asked
}

func says(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(body))
	}
}

func refuses(status int, retry, detail string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if retry != "" {
			w.Header().Set("Retry-After", retry)
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"type":"about:blank","title":"x","status":%d,"detail":%q,"parameter":"by"}`, status, detail)
	}
}

func of(t *testing.T, o Options) *Client {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

const nobody = "http://127.0.0.1:1" // nothing listens there

func TestRetries(t *testing.T) {
	short := Options{MaxWait: 5 * time.Millisecond, Timeout: 2 * time.Second}
	ready := says(answer(41, "00"))
	for name, tc := range map[string]struct {
		answers []http.HandlerFunc
		asked   int64
		status  int // 0: an answer
	}{
		"at once":              {[]http.HandlerFunc{ready}, 1, 0},
		"after a rebuild":      {[]http.HandlerFunc{refuses(503, "1", "reading"), refuses(503, "1", "reading"), ready}, 3, 0},
		"never ready":          {[]http.HandlerFunc{refuses(503, "1", "reading")}, 3, 503},
		"too many requests":    {[]http.HandlerFunc{refuses(429, "", "slower"), ready}, 2, 0},
		"a gateway that fails": {[]http.HandlerFunc{refuses(502, "", "bad"), ready}, 2, 0},
		"a wrong question":     {[]http.HandlerFunc{refuses(400, "", "by: no"), ready}, 1, 400},
		"not allowed":          {[]http.HandlerFunc{refuses(401, "", "who?"), ready}, 1, 401},
		"no such question":     {[]http.HandlerFunc{refuses(404, "", "nothing there"), ready}, 1, 404},
		"a page that is gone":  {[]http.HandlerFunc{refuses(410, "", "gone"), ready}, 1, 410},
		"a redirection":        {[]http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, ready}, 1, 302},
	} {
		t.Run(name, func(t *testing.T) {
			o, asked := short, &atomic.Int64{}
			var address string
			address, asked = collector(t, tc.answers...)
			o.Addresses = []string{address}
			got, err := of(t, o).Capacity(t.Context(), CapacityQuery{})
			if tc.status == 0 && (err != nil || got.Revision != 41 || got.Total.Eflops.Rated.String() != "0.007916") {
				t.Errorf("%+v, %v", got, err)
			}
			var p *Problem
			if tc.status != 0 && (!errors.As(err, &p) || p.Status != tc.status || p.Collector != address) {
				t.Errorf("%v, want a problem of status %d", err, tc.status)
			}
			if asked.Load() != tc.asked {
				t.Errorf("asked %d times, want %d", asked.Load(), tc.asked)
			}
		})
	}
}

func TestProblemIsQuoted(t *testing.T) {
	address, _ := collector(t, refuses(400, "", `by: "rack" is not a dimension`))
	_, err := of(t, Options{Addresses: []string{address}}).Capacity(t.Context(), CapacityQuery{By: []string{"rack"}})
	var p *Problem
	if !errors.As(err, &p) || p.Parameter != "by" || !strings.Contains(err.Error(), `by: "rack" is not a dimension`) || !strings.Contains(err.Error(), address) {
		t.Errorf("%v", err)
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	address, _ := collector(t, refuses(503, "1", "reading"), says(answer(41, "00")))
	begun := time.Now()
	if _, err := of(t, Options{Addresses: []string{address}}).Capacity(t.Context(), CapacityQuery{}); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took < time.Second || took > 4*time.Second {
		t.Errorf("asked again after %s, want a second", took)
	}
	// Who has less time than that is not kept waiting.
	address, _ = collector(t, refuses(503, "60", "reading"))
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	begun = time.Now()
	_, err := of(t, Options{Addresses: []string{address}, MaxWait: time.Minute}).Capacity(ctx, CapacityQuery{})
	if took := time.Since(begun); took > time.Second || statusOf(err) != 503 {
		t.Errorf("after %s: %v", took, err)
	}
	for v, want := range map[string]time.Duration{"": 0, "7": 7 * time.Second, "-7": 0, "soon": 0, "1e9": 0, "99999999999": 0} {
		if got := retryAfter(v, begun); got != want {
			t.Errorf("Retry-After %q: %s, want %s", v, got, want)
		}
	}
	if got := retryAfter(begun.Add(10*time.Second).UTC().Format(http.TimeFormat), begun); got < 8*time.Second || got > 10*time.Second {
		t.Errorf("a date ten seconds off: %s", got)
	}
}

func TestFailOver(t *testing.T) {
	broken, _ := collector(t, refuses(500, "", "a defect"))
	old, _ := collector(t, refuses(404, "", "nothing there"))
	good, asked := collector(t, says(answer(41, "00")))
	c := of(t, Options{Addresses: []string{nobody, broken, old, strings.TrimPrefix(good, "http://")}, Rounds: 1})
	for range 3 {
		if _, err := c.Capacity(t.Context(), CapacityQuery{}); err != nil {
			t.Fatal(err)
		}
	}
	if asked.Load() != 3 {
		t.Errorf("the good one was asked %d times", asked.Load())
	}
	if _, first := c.seen(); first != 3 {
		t.Errorf("the next question goes to %d first", first)
	}
}

// TestHighestRevisionWins never goes back, whichever collector answers.
func TestHighestRevisionWins(t *testing.T) {
	one, _ := collector(t, says(answer(41, "04")), refuses(503, "", "restarting"), refuses(503, "", "restarting"), says(answer(50, "09")))
	other, _ := collector(t, says(answer(40, "03")), says(answer(42, "05")))
	c := of(t, Options{Addresses: []string{one, other}, MaxWait: time.Millisecond})
	var got []int64
	for range 3 {
		doc, err := c.Capacity(t.Context(), CapacityQuery{})
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, doc.Revision)
	}
	if !slices.IsSorted(got) || got[0] != 41 || got[1] != 42 {
		t.Errorf("revisions %v", got)
	}
}

func TestBehind(t *testing.T) {
	address, asked := collector(t, says(answer(41, "04")), says(answer(40, "03")))
	c := of(t, Options{Addresses: []string{address}, MaxWait: time.Millisecond})
	if _, err := c.Capacity(t.Context(), CapacityQuery{}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Capacity(t.Context(), CapacityQuery{}); !errors.Is(err, ErrBehind) || asked.Load() != 4 {
		t.Errorf("asked %d times, %v", asked.Load(), err)
	}
	// A page goes with the first one.
	if _, err := c.Pools(t.Context(), PoolsQuery{Cursor: "x"}); err != nil {
		t.Error(err)
	}
}

// TestLogBegunAnew takes a lower revision of a later time for what it is.
func TestLogBegunAnew(t *testing.T) {
	address, _ := collector(t, says(answer(41_000, "04")), says(answer(2, "30")), says(answer(1, "29")))
	c := of(t, Options{Addresses: []string{address}, Rounds: 1})
	for want, fine := range map[int64]bool{41_000: true} {
		if doc, err := c.Capacity(t.Context(), CapacityQuery{}); err != nil || doc.Revision != want || !fine {
			t.Fatal(doc, err)
		}
	}
	if doc, err := c.Capacity(t.Context(), CapacityQuery{}); err != nil || doc.Revision != 2 {
		t.Errorf("%+v, %v", doc, err)
	}
	if _, err := c.Capacity(t.Context(), CapacityQuery{}); !errors.Is(err, ErrBehind) {
		t.Errorf("within the new log: %v", err)
	}
}

// TestCompressedAnswers asks for gzip and reads it. What bounds an answer is how large it is when it is unpacked.
func TestCompressedAnswers(t *testing.T) {
	packed := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Accept-Encoding") != "gzip" {
				t.Errorf("Accept-Encoding %q", r.Header.Get("Accept-Encoding"))
			}
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = z.Write([]byte(body))
			_ = z.Close()
		}
	}
	address, _ := collector(t, packed(answer(41, "00")))
	if doc, err := of(t, Options{Addresses: []string{address}}).Capacity(t.Context(), CapacityQuery{}); err != nil || doc.Revision != 41 {
		t.Errorf("%+v, %v", doc, err)
	}
	address, asked := collector(t, packed(strings.Repeat(" ", 10<<20)+"{}"))
	_, err := of(t, Options{Addresses: []string{address}, MaxAnswer: 1 << 20}).Capacity(t.Context(), CapacityQuery{})
	if !errors.Is(err, errTooLarge) || asked.Load() != 1 {
		t.Errorf("ten megabytes in ten kilobytes: asked %d times, %v", asked.Load(), err)
	}
}

// TestNextPage tells where the next page is.
func TestNextPage(t *testing.T) {
	for link, want := range map[string]string{
		"": "", "</v1/pools?cursor=x&format=csv>; rel=\"next\"": "/v1/pools?cursor=x&format=csv", "</other>; rel=\"prev\"": "", "nonsense": "",
	} {
		address, _ := collector(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Link", link) })
		if a, err := of(t, Options{Addresses: []string{address}}).Get(t.Context(), "v1/pools", nil); err != nil || a.Next != want {
			t.Errorf("%q: %+v, %v", link, a, err)
		}
	}
}

func TestHostileAnswers(t *testing.T) {
	for name, tc := range map[string]struct {
		body, want string
	}{
		"a proxy's page": {"<html>", "read the collector's answer"},
		"nothing":        {"", "read the collector's answer"},
		"another type":   {`{"revision":"many"}`, "read the collector's answer"},
		"too much":       {strings.Repeat(" ", 2000) + "{}", "too large: more than 1000 bytes"},
		"too many flops": {`{"total":{"eflops":{"rated":1e40}}}`, "not a whole number of Mflop/s"},
		"half a Mflop/s": {`{"total":{"eflops":{"rated":0.0000000000005}}}`, "not a whole number of Mflop/s"},
	} {
		address, asked := collector(t, says(tc.body))
		_, err := of(t, Options{Addresses: []string{address}, MaxAnswer: 1000}).Capacity(t.Context(), CapacityQuery{})
		if err == nil || !strings.Contains(err.Error(), tc.want) || asked.Load() != 1 {
			t.Errorf("%s: asked %d times, %v", name, asked.Load(), err)
		}
	}
	// A problem of any size is no problem.
	address, _ := collector(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(400)
		_, _ = w.Write([]byte(strings.Repeat("<p>", 1<<20)))
	})
	if _, err := of(t, Options{Addresses: []string{address}}).Capacity(t.Context(), CapacityQuery{}); statusOf(err) != 400 || len(err.Error()) > 200 {
		t.Errorf("%.300v", err)
	}
}

func TestCancelled(t *testing.T) {
	address, _ := collector(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begun := time.Now()
	_, err := of(t, Options{Addresses: []string{address}}).Capacity(ctx, CapacityQuery{})
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) > 2*time.Second {
		t.Errorf("after %s: %v", time.Since(begun), err)
	}
	// A collector that hangs is given up, and the next one asked.
	good, _ := collector(t, says(answer(41, "00")))
	if _, err := of(t, Options{Addresses: []string{address, good}, Timeout: 100 * time.Millisecond}).Capacity(t.Context(), CapacityQuery{}); err != nil {
		t.Error(err)
	}
}

func TestOptions(t *testing.T) {
	for want, o := range map[string]Options{
		`collector "nowhere" is not a URL`:            {Addresses: []string{"nowhere"}},
		`collector "ftp://a" is not a URL`:            {Addresses: []string{"ftp://a"}},
		`collector "http://a?b=c" is not a URL`:       {Addresses: []string{"http://a?b=c"}},
		`collector "http://u:p@a" is not a URL`:       {Addresses: []string{"http://u:p@a"}},
		"a token would cross the network":             {Addresses: []string{"https://a", "http://a"}, Token: "secret"},
		"a token and a file":                          {Token: "secret", TokenFile: "/x"},
		"cannot be negative":                          {Timeout: -1},
		`collector "http://192.0.2.1:80": a token wo`: {Addresses: []string{"http://192.0.2.1:80"}, TokenFile: "/x"},
	} {
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%+v: %v, want %q", o, err, want)
		}
	}
	if c, err := New(Options{}); err != nil || c.bases[0].String() != DefaultAddress {
		t.Errorf("the zero value: %v", err)
	}
}

// TestTLS asks a collector that wants TLS and a token.
func TestTLS(t *testing.T) {
	var tokens atomic.Pointer[string]
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := r.Header.Get("Authorization")
		tokens.Store(&token)
		says(answer(41, "00"))(w, r)
	}))
	defer s.Close()
	dir := t.TempDir()
	authorities, token := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "token")
	write := func(path string, b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(authorities, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	write(token, []byte("first\n"))
	cfg, err := LoadTLS(authorities, "", "")
	if err != nil {
		t.Fatal(err)
	}
	c := of(t, Options{Addresses: []string{s.URL}, TLS: cfg, TokenFile: token})
	for _, want := range []string{"first", "second"} {
		write(token, []byte(want))
		if _, err := c.Capacity(t.Context(), CapacityQuery{}); err != nil {
			t.Fatal(err)
		}
		if got := *tokens.Load(); got != "Bearer "+want {
			t.Errorf("sent %q, want %q", got, want)
		}
	}
	write(token, nil)
	if _, err := c.Capacity(t.Context(), CapacityQuery{}); err == nil || !strings.Contains(err.Error(), "is empty") {
		t.Errorf("an empty file: %v", err)
	}
	// Who does not know the authority does not send the token, and turns to the next.
	tokens.Store(nil)
	good, _ := collector(t, says(answer(41, "00")))
	if _, err := of(t, Options{Addresses: []string{s.URL, good}, Token: "secret"}).Capacity(t.Context(), CapacityQuery{}); err != nil || tokens.Load() != nil {
		t.Errorf("%v, sent %v", err, tokens.Load())
	}
	for want, files := range map[string][3]string{
		"ca.pem.not":          {authorities + ".not", "", ""},
		"there is none in":    {token, "", ""},
		"without its key":     {"", authorities, ""},
		"read the certificat": {"", authorities, token},
	} {
		if _, err := LoadTLS(files[0], files[1], files[2]); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", files, err, want)
		}
	}
}

// TestPages reads all pages of one revision, and begins anew where it is no longer kept.
func TestPages(t *testing.T) {
	pool := func(next string, models ...string) http.HandlerFunc {
		p := Pools{Head: Head{Revision: 41}, Next: next}
		for _, m := range models {
			p.Pools = append(p.Pools, Pool{PoolName: PoolName{Dimensions: Dimensions{Model: m}}})
		}
		b, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		return says(string(b))
	}
	models := func(p *Pools) (out []string) {
		for i := range p.Pools {
			out = append(out, p.Pools[i].Model)
		}
		return out
	}
	address, asked := collector(t, pool("2", "old"), refuses(410, "", "gone"), pool("2", "a", "b"), pool("3", "c"), pool("", "d"))
	got, err := of(t, Options{Addresses: []string{address}}).AllPools(t.Context(), PoolsQuery{Limit: 2})
	if err != nil || !slices.Equal(models(got), []string{"a", "b", "c", "d"}) || asked.Load() != 5 || got.Next != "" {
		t.Errorf("%v after %d questions, %v", got, asked.Load(), err)
	}
	address, asked = collector(t, pool("2", "a"), refuses(410, "", "gone"), pool("2", "a"), refuses(410, "", "gone"), pool("2", "a"), refuses(410, "", "gone"), pool("2", "a"), refuses(410, "", "gone"))
	if _, err := of(t, Options{Addresses: []string{address}}).AllPools(t.Context(), PoolsQuery{}); !IsGone(err) || asked.Load() != 8 {
		t.Errorf("asked %d times, %v", asked.Load(), err)
	}
}

func TestGangs(t *testing.T) {
	p := Pool{FreeHosts: []int64{9, 4, 0, 1, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 3}}
	for size, want := range map[int]int64{8: 16, 4: 32, 3: 1 + 20 + 15, 1: 4 + 3 + 80 + 48, 16: 3, 17: 0, 0: 0, -1: 0} {
		if got := p.Gangs(size); got != want {
			t.Errorf("%d gangs of %d, want %d", got, size, want)
		}
	}
}
