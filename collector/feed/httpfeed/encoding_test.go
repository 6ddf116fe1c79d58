package httpfeed

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"

	"github.com/exameter/exameter/collector/feed/streamfeed"
	"github.com/exameter/exameter/collector/hosts"
)

func TestPreferred(t *testing.T) {
	for _, tc := range []struct {
		accept []string
		want   string
	}{
		{nil, ""},
		{[]string{""}, ""},
		{[]string{"identity"}, ""},
		{[]string{"br"}, ""},
		{[]string{"gzip"}, "gzip"},
		{[]string{"GZip"}, "gzip"},
		{[]string{"gzip, deflate, br, zstd"}, "zstd"},
		{[]string{"gzip", "zstd"}, "zstd"},
		{[]string{"zstd;q=0.5, gzip"}, "gzip"},
		{[]string{"zstd; q=0.5 , gzip;Q=0.4"}, "zstd"},
		{[]string{"gzip;q=0"}, ""},
		{[]string{"gzip;q=0.000, zstd;q=0.001"}, "zstd"},
		{[]string{"*"}, "zstd"},
		{[]string{"*;q=0"}, ""},
		{[]string{"zstd;q=0, *"}, "gzip"},
		{[]string{"zstd;q=0, *;q=0.1, identity;q=0.5"}, ""},
		{[]string{"gzip;q=0.5, identity"}, ""},
		{[]string{"gzip, identity"}, "gzip"},
		{[]string{"identity;q=0, gzip;q=0.1"}, "gzip"},
		{[]string{"gzip;q=much"}, ""},
		{[]string{"gzip;q=NaN"}, ""},
		{[]string{"gzip;q=2"}, ""},
		{[]string{"gzip;q=-1"}, ""},
		{[]string{"gzip;"}, ""},
		{[]string{strings.Repeat(",;q=,", 3000)}, ""},
	} {
		got := ""
		if c := preferred(tc.accept); c != identity {
			got = codings[c].name
		}
		if got != tc.want {
			t.Errorf("Accept-Encoding %.60q: %q, want %q", tc.accept, got, tc.want)
		}
	}
}

// decoded undoes a coding.
func decoded(t *testing.T, coding string, body []byte) []byte {
	t.Helper()
	var r io.Reader = bytes.NewReader(body)
	var err error
	switch coding {
	case "gzip":
		r, err = gzip.NewReader(r)
	case "zstd":
		// What browsers can read: a window of 8 MB at most (RFC 9659).
		var d *zstd.Decoder
		d, err = zstd.NewReader(r, zstd.WithDecoderMaxWindow(8<<20))
		r = d
	}
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestEveryOperationIsEncoded gives every answer in each coding: what comes out of it is the answer as it is. HEAD says the same of it.
func TestEveryOperationIsEncoded(t *testing.T) {
	h := complete(t, true)
	encoded := 0
	served(t, h).operations(func(path string, _ *v3.Operation) {
		if !strings.HasPrefix(path, "/v1/") {
			return
		}
		target := path
		switch path {
		case "/v1/match":
			target += "?count=8&kind=cpu"
		case "/v1/capacity":
			target += "?by=pool&kind=all"
		}
		as := get(h, "GET", target)
		if as.Header().Get("Vary") != "Accept-Encoding" || as.Header().Get("Content-Encoding") != "" {
			t.Errorf("%s: headers %v", target, as.Header())
		}
		tags := map[string]bool{as.Header().Get("ETag"): true}
		for _, coding := range []string{"gzip", "zstd"} {
			w := get(h, "GET", target, "Accept-Encoding", coding)
			want := coding
			if as.Body.Len() < minEncoded {
				want = ""
			}
			head := w.Header()
			if w.Code != 200 || head.Get("Content-Encoding") != want || head.Get("Vary") != "Accept-Encoding" ||
				head.Get("Content-Length") != strconv.Itoa(w.Body.Len()) || head.Get("Content-Type") != as.Header().Get("Content-Type") {
				t.Errorf("%s as %s: %d, headers %v", target, coding, w.Code, head)
				continue
			}
			if got := decoded(t, want, w.Body.Bytes()); !bytes.Equal(got, as.Body.Bytes()) {
				t.Errorf("%s as %s: %.200s, want %.200s", target, coding, got, as.Body)
			}
			if want != "" && w.Body.Len() >= as.Body.Len() {
				t.Errorf("%s as %s: %d bytes of %d", target, coding, w.Body.Len(), as.Body.Len())
			}
			tag := head.Get("ETag")
			if strings.HasPrefix(tag, `"`) && want != "" {
				if tags[tag] {
					t.Errorf("%s as %s: the tag %s is another coding's", target, coding, tag)
				}
				tags[tag] = true
				encoded++
			}
			if tag != "" {
				again := get(h, "GET", target, "Accept-Encoding", coding, "If-None-Match", tag)
				if again.Code != 304 || again.Body.Len() != 0 || again.Header().Get("ETag") != tag || again.Header().Get("Vary") != "Accept-Encoding" || again.Header().Get("Content-Encoding") != "" {
					t.Errorf("%s as %s again: %d, headers %v", target, coding, again.Code, again.Header())
				}
			}
			// A client that has the answer in another coding does not have this one.
			if want != "" && strings.HasPrefix(tag, `"`) {
				if w := get(h, "GET", target, "If-None-Match", tag); w.Code != 200 {
					t.Errorf("%s as it is, where the client has it as %s: %d", target, coding, w.Code)
				}
			}
			asked := get(h, "HEAD", target, "Accept-Encoding", coding)
			for _, name := range []string{"ETag", "Content-Encoding", "Content-Length", "Content-Type", "Vary"} {
				if got := asked.Header().Get(name); asked.Code != 200 || got != head.Get(name) {
					t.Errorf("HEAD %s as %s: %d, %s %q, want %q", target, coding, asked.Code, name, got, head.Get(name))
				}
			}
		}
	})
	if encoded < 4 {
		t.Errorf("%d answers with a strong tag were encoded", encoded)
	}
}

// TestNotEncoded leaves alone what is small or an error, and what has to go out at once.
func TestNotEncoded(t *testing.T) {
	h := complete(t, true)
	for target, code := range map[string]int{"/v1/capacity?by=colour": 400, "/v1/match?count=x": 400, "/nothing": 404, "/healthz": 200, "/readyz": 200} {
		w := get(h, "GET", target, "Accept-Encoding", "gzip, zstd")
		if w.Code != code || w.Header().Get("Content-Encoding") != "" || !strings.ContainsAny(w.Body.String()[:1], "{or") {
			t.Errorf("%s: %d, headers %v, %.100q", target, w.Code, w.Header(), w.Body)
		}
	}
	a := &answer{kind: "text/plain", body: bytes.Repeat([]byte("x"), minEncoded-1)}
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	if c := a.coding(r); c != identity {
		t.Errorf("%d bytes are given as %s", len(a.body), codings[c].name)
	}
	if a.body = append(a.body, 'x'); codings[a.coding(r)].name != "gzip" {
		t.Errorf("%d bytes are given as they are", len(a.body))
	}

	s := stream(t, streamfeed.Options{}, freed(41, 5))
	req, err := http.NewRequestWithContext(t.Context(), "GET", s.url+"/v1/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept-Encoding", "gzip, zstd")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	line, err := bufio.NewReader(resp.Body).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "retry:") || resp.Header.Get("Content-Encoding") != "" {
		t.Errorf("the stream begins with %q, headers %v, %v", line, resp.Header, err)
	}
}

// TestEncodedOnce compresses an answer once, however many ask for it at a time.
func TestEncodedOnce(t *testing.T) {
	var calls atomic.Int64
	was := codings
	defer func() { codings = was }()
	codings[1].encode = func(b []byte) []byte {
		calls.Add(1)
		return was[1].encode(b)
	}
	h := complete(t, true)
	const target = "/v1/capacity?by=pool&kind=all"
	want := get(h, "GET", target).Body.Bytes()
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			if w := get(h, "GET", target, "Accept-Encoding", "gzip"); w.Header().Get("Content-Encoding") != "gzip" {
				t.Errorf("headers %v", w.Header())
			}
		})
	}
	wg.Wait()
	if n := calls.Load(); n != 1 {
		t.Errorf("compressed %d times", n)
	}
	if got := decoded(t, "gzip", get(h, "GET", target, "Accept-Encoding", "gzip").Body.Bytes()); !bytes.Equal(got, want) {
		t.Errorf("%.200s, want %.200s", got, want)
	}
}

// TestEncodersAreBounded has many answers compressed at a time, which wait for each other and come out whole.
func TestEncodersAreBounded(t *testing.T) {
	if len(gzipWriters()) != encoders {
		t.Fatalf("%d writers are free, want %d", len(gzipWriters()), encoders)
	}
	body := bytes.Repeat([]byte("exameter "), 100_000)
	var wg sync.WaitGroup
	for i := range 64 {
		c := codings[i%len(codings)]
		wg.Go(func() {
			if got := decoded(t, c.name, c.encode(body)); !bytes.Equal(got, body) {
				t.Errorf("%s: %d bytes, want %d", c.name, len(got), len(body))
			}
		})
	}
	wg.Wait()
	if len(gzipWriters()) != encoders {
		t.Errorf("%d writers are free afterwards, want %d", len(gzipWriters()), encoders)
	}
}

// BenchmarkEncode compresses a page of a thousand hosts, whose devices differ by what is the most of them: ids and power.
func BenchmarkEncode(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	some := somePage().Hosts[0]
	list := make([]hosts.Host, 1000)
	for i := range list {
		h := some
		h.Host, h.Name, h.AgeS = fmt.Sprintf("%016x%016x", r.Uint64(), r.Uint64()), fmt.Sprintf("gpu-%04d", i), new(float64(r.IntN(10_000))/1000)
		h.Devices = nil
		for range 8 {
			d := some.Devices[0]
			d.ID, d.PowerW = fmt.Sprintf("GPU-%016x%016x", r.Uint64(), r.Uint64()), new(float64(r.IntN(700_000))/1000)
			h.Devices = append(h.Devices, d)
		}
		list[i] = h
	}
	body := jsonAnswer(&Hosts{Hosts: list}).body
	for _, c := range codings {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				n = len(c.encode(body))
			}
			b.ReportMetric(float64(len(body))/float64(n), "ratio")
		})
	}
}
