package httpfeed

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/exameter/exameter/collector/capacity"
)

// question is a request that was understood. Its answer is a function of the snapshot alone.
type question func(*capacity.Listing) (*answer, error)

// answer is an answer as it goes out. It is not changed any more.
type answer struct {
	kind string // media type
	body []byte
	link string            // the next page, where there is one
	from *capacity.Listing // where not the last snapshot: an earlier page's

	encoded [len(codings)]encoded
}

func jsonAnswer(v any) *answer {
	var b bytes.Buffer
	writeJSON(&b, v)
	return &answer{kind: "application/json", body: b.Bytes()}
}

func csvAnswer(write func(io.Writer)) *answer {
	var b bytes.Buffer
	write(&b)
	return &answer{kind: "text/csv; charset=utf-8; header=present", body: b.Bytes()}
}

// rendered is a document in the format asked for: rows where that is csv.
func rendered[T any](format string, doc *T, rows func(io.Writer, *T)) *answer {
	if format == "csv" {
		return csvAnswer(func(w io.Writer) { rows(w, doc) })
	}
	return jsonAnswer(doc)
}

// Limits of what is kept, so that questions nobody asks twice claim no memory.
const (
	maxKept      = 1024     // answers
	maxKeptBytes = 32 << 20 // of all of them as they are; in other codings they are a small part of it
	maxKeptQuery = 1024
	maxPinned    = 16 // revisions that pages were answered from
	pinnedFor    = 5 * time.Minute
)

// kept is what has been worked out from the last snapshot: its listing, and answers as they went out. Many ask the same within
// the second or less that a revision lasts. All of it is let go with the next snapshot, apart from listings that pages are open of.
type kept struct {
	src Source

	mu      sync.Mutex
	listing *capacity.Listing
	answers map[string]*answer
	bytes   int
	pinned  []pin // the last used last
}

// pin is a listing that pages are open of.
type pin struct {
	*capacity.Listing
	used time.Time
}

// list returns the listing of a snapshot.
func (k *kept) list(s *capacity.Snapshot) *capacity.Listing {
	k.mu.Lock()
	l := k.listing
	k.mu.Unlock()
	if l != nil && l.Snapshot == s {
		return l
	}
	l = s.List() // two requests may do it at a time, which costs less than one that waits for the other
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.listing == nil || k.listing.Snapshot != s {
		k.listing, k.answers, k.bytes = l, map[string]*answer{}, 0
		k.unpin()
	}
	return k.listing
}

// find returns an answer that was given before from the snapshot; nil where there is none.
func (k *kept) find(s *capacity.Snapshot, key string) *answer {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.listing == nil || k.listing.Snapshot != s {
		return nil
	}
	return k.answers[key]
}

// keep keeps an answer from a listing, where there is room.
func (k *kept) keep(l *capacity.Listing, key string, a *answer) {
	k.mu.Lock()
	defer k.mu.Unlock()
	size := len(a.body) + len(key)
	if k.listing != l || len(key) > maxKeptQuery || len(k.answers) >= maxKept || k.bytes+size > maxKeptBytes {
		return
	}
	if _, known := k.answers[key]; !known {
		k.answers[key] = a
		k.bytes += size
	}
}

// pin keeps a listing for the pages that follow one.
func (k *kept) pin(l *capacity.Listing) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.pinned = slices.DeleteFunc(k.pinned, func(p pin) bool { return p.Listing == l })
	if len(k.pinned) == maxPinned {
		k.pinned = slices.Delete(k.pinned, 0, 1)
	}
	k.pinned = append(k.pinned, pin{l, time.Now()})
}

// unpin lets go of listings of which nobody has asked for a page for long. The caller holds the lock.
func (k *kept) unpin() {
	k.pinned = slices.DeleteFunc(k.pinned, func(p pin) bool { return time.Since(p.used) > pinnedFor })
}

// of returns the listing of a revision, the last one's or a pinned one; nil where it is gone.
func (k *kept) of(revision int64, cut bool) *capacity.Listing {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := len(k.pinned) - 1; i >= 0; i-- {
		if p := k.pinned[i]; p.Revision == revision && p.Cut == cut {
			return p.Listing
		}
	}
	if l := k.listing; l != nil && l.Revision == revision && l.Cut == cut {
		return l
	}
	return nil
}

// handler answers questions from the last snapshot.
func (k *kept) handler(read func(raw string) (question, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		key := r.URL.Path + "?" + r.URL.RawQuery
		if ready, _ := k.src.Ready(); ready {
			if s := k.src.Snapshot(); s != nil {
				if a := k.find(s, key); a != nil {
					a.give(w, r, s)
					return
				}
			}
		}
		ask, err := read(r.URL.RawQuery)
		if err != nil {
			refuse(w, err)
			return
		}
		s := k.src.snapshot(w)
		if s == nil {
			return
		}
		l := k.list(s)
		a, err := ask(l)
		if err != nil {
			refuse(w, err)
			return
		}
		if a.from == nil {
			k.keep(l, key, a)
		} else {
			s = a.from.Snapshot
		}
		a.give(w, r, s)
	}
}

// give gives an answer that is a function of a snapshot, unless the client has it already. The tag is strong, and so each coding has
// its own.
func (a *answer) give(w http.ResponseWriter, r *http.Request, s *capacity.Snapshot) {
	tag := revisionOf(s)
	if c := a.coding(r); c != identity {
		tag += "-" + codings[c].name
	}
	if !fresh(w, r, `"`+tag+`"`) {
		a.write(w, r)
	}
}

// write writes an answer in the coding that the client likes best.
func (a *answer) write(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	coding := a.coding(r)
	body := a.in(coding)
	h.Set("Content-Type", a.kind)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Vary", "Accept-Encoding")
	if coding != identity {
		h.Set("Content-Encoding", codings[coding].name)
	}
	if a.link != "" {
		h.Set("Link", a.link)
	}
	_, _ = w.Write(body) // a client that went away is no concern of ours
}
