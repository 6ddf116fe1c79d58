package client

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// read reads all events, comments left out.
func read(r io.Reader, limit int64) (out []event, err error) {
	for in := newEvents(r, limit); ; {
		e, err := in.next()
		if err != nil {
			return out, err
		}
		if e.name != "" {
			out = append(out, e)
		}
	}
}

func TestEvents(t *testing.T) {
	for in, want := range map[string][]event{
		"data: a\n\n":                                 {{name: "message", data: "a"}},
		"\ufeffdata: a\n\n":                           {{name: "message", data: "a"}},
		"event: x\r\nid: 7\r\ndata: a\r\n\r\n":        {{name: "x", data: "a", id: "7"}},
		"event: x\rdata:a\rdata\rdata: b\r\r":         {{name: "x", data: "a\n\nb"}},
		"id: 7\ndata: a\n\ndata: b\n\n":               {{name: "message", data: "a", id: "7"}, {name: "message", data: "b", id: "7"}},
		"event: x\n\ndata: a\n\n":                     {{name: "message", data: "a"}},
		"data: a\n:comment\ncolour: red\ndata: b\n\n": {{name: "message", data: "a\nb"}},
		"retry: 1500\ndata: a\n\n":                    {{name: "message", data: "a", retry: 1500 * time.Millisecond}},
		"retry: soon\nid: a\x00b\ndata: a\n\n":        {{name: "message", data: "a"}},
		": hello\n\ndata: a\n\ndata: not complete\n":  {{name: "message", data: "a"}},
	} {
		for name, r := range map[string]io.Reader{"at once": strings.NewReader(in), "byte by byte": iotest.OneByteReader(strings.NewReader(in))} {
			if got, err := read(r, 1000); !slices.Equal(got, want) || !errors.Is(err, io.EOF) {
				t.Errorf("%q %s: %+v, %v, want %+v", in, name, got, err, want)
			}
		}
	}
	if _, err := read(strings.NewReader("data: "+strings.Repeat("x", 200)), 100); !errors.Is(err, errEventTooLarge) {
		t.Errorf("a long line: %v", err)
	}
	if _, err := read(strings.NewReader(strings.Repeat("data: x\n", 200)), 100); !errors.Is(err, errEventTooLarge) {
		t.Errorf("many lines: %v", err)
	}
}

// FuzzEvents: what is read does not depend on how it arrives, holds no line end but its own, and is bounded.
func FuzzEvents(f *testing.F) {
	f.Add("event: snapshot\nid: 41\ndata: {}\n\n: beat\n\nevent: delta\r\ndata: a\rdata: b\n\n")
	f.Add("\ufeffretry: 10\ndata\n\n\n\r\r\n\n")
	f.Fuzz(func(t *testing.T, in string) {
		const limit = 300
		got, err := read(strings.NewReader(in), limit)
		again, errAgain := read(iotest.OneByteReader(strings.NewReader(in)), limit)
		if !slices.Equal(got, again) || errors.Is(err, errEventTooLarge) != errors.Is(errAgain, errEventTooLarge) {
			t.Fatalf("at once %+v, %v; byte by byte %+v, %v", got, err, again, errAgain)
		}
		for _, e := range got {
			if len(e.data) > limit || strings.ContainsRune(e.data, '\r') || strings.ContainsAny(e.name+e.id, "\r\n") {
				t.Fatalf("%+v", e)
			}
			// Written again it reads the same.
			text := "event: " + e.name + "\nid: " + e.id + "\n"
			for line := range strings.SplitSeq(e.data, "\n") {
				text += "data: " + line + "\n"
			}
			back, _ := read(strings.NewReader(text+"\n"), 4*limit)
			if len(back) != 1 || back[0].name != e.name || back[0].data != e.data || back[0].id != e.id {
				t.Fatalf("%+v became %+v", e, back)
			}
		}
	})
}
