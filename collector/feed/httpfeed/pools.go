package httpfeed

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"net/url"
	"strconv"
	"time"

	"github.com/exameter/exameter/catalog"
	"github.com/exameter/exameter/collector/capacity"
)

// errGone says that the revision which a cursor belongs to is not kept any more.
var errGone = errors.New("the revision of this cursor is gone: begin with the first page")

// poolsQuestion reads a question to GET /v1/pools.
func (k *kept) poolsQuestion(raw string) (question, error) {
	p, err := readParameters(raw)
	if err != nil {
		return nil, err
	}
	q := capacity.PoolQuery{Query: p.filters()}
	q.Kind = p.kind()
	q.Sort = capacity.PoolSort(p.enum("sort", string(capacity.SortName), string(capacity.SortFree), string(capacity.SortEflops), string(capacity.SortAge)))
	q.Limit = int(p.integer("limit", capacity.MaxPage))
	format := p.format()
	at, paged := p.cursor()
	if err := p.done(); err != nil {
		return nil, err
	}
	return func(l *capacity.Listing) (*answer, error) {
		var from *capacity.Listing
		if paged {
			if from = k.of(at.revision, at.cut); from == nil {
				return nil, &badParameter{"cursor", errGone}
			}
			l, q.Offset = from, at.offset
		}
		doc, err := l.Answer(q)
		if err != nil {
			return nil, err
		}
		link := ""
		if end := q.Offset + len(doc.Pools); end < doc.Of {
			doc.Next = cursor{l.Revision, l.Cut, end, p.about()}.String()
			k.pin(l)
			link = nextLink("/v1/pools", p.values, doc.Next)
		}
		a := rendered(format, doc, writePoolsCSV)
		a.link, a.from = link, from
		return a, nil
	}, nil
}

// nextLink is the header that leads to the page at a cursor, by the question of this one.
func nextLink(path string, values url.Values, cursor string) string {
	next := maps.Clone(values)
	next.Set("cursor", cursor)
	return "<" + path + "?" + next.Encode() + `>; rel="next"`
}

// cursor is where a page begins: a place in the answer to one question at one revision.
type cursor struct {
	revision int64
	cut      bool
	offset   int
	about    uint64
}

func (c cursor) String() string {
	b := binary.AppendVarint(nil, c.revision)
	b = binary.AppendUvarint(b, uint64(c.offset))
	b = binary.BigEndian.AppendUint64(b, c.about)
	if c.cut {
		b = append(b, 1)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func parseCursor(s string) (c cursor, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return c, false
	}
	var n int
	if c.revision, n = binary.Varint(b); n <= 0 {
		return c, false
	}
	offset, m := binary.Uvarint(b[n:])
	if m <= 0 || offset > 1<<31 || len(b) < n+m+8 {
		return c, false
	}
	c.offset, c.about = int(offset), binary.BigEndian.Uint64(b[n+m:])
	rest := b[n+m+8:]
	c.cut = len(rest) == 1 && rest[0] == 1
	return c, c.String() == s // one way to write each
}

// cursor reads where the page begins; ok is false where it is the first.
func (p *parameters) cursor() (c cursor, ok bool) {
	v, given := p.one("cursor")
	if !given {
		return c, false
	}
	c, good := parseCursor(v)
	switch {
	case !good:
		p.fail("cursor", fmt.Errorf("%q is none that an answer gave", clipped(v)))
	case c.about != p.about():
		p.fail("cursor", errors.New("belongs to another question: filters, sort and precision must be those of the first page"))
	}
	return c, true
}

// about is a hash of what all pages of a question have in common.
func (p *parameters) about() uint64 {
	common := url.Values{}
	for name, v := range p.values {
		if name != "cursor" && name != "limit" && name != "format" {
			common[name] = v
		}
	}
	h := fnv.New64a()
	_, _ = io.WriteString(h, common.Encode()) // a hash takes everything
	return h.Sum64()
}

// nameColumns are the first columns of every CSV about pools.
var nameColumns = []string{"centre", "cluster", "kind", "vendor", "model", "class", "domestic", "identifier", "memory_gib"}

func nameRow(n *capacity.PoolName) []string {
	return []string{
		n.Centre, n.Cluster, n.Kind, harmless(n.Vendor), harmless(n.Model), n.Class, n.Domestic, harmless(n.Identifier), number(n.MemoryGiB),
	}
}

// headColumns are the last columns of every CSV about pools.
var headColumns = []string{"precision", "revision", "as_of", "catalogue", "registry", "rule"}

func headRow(h *capacity.Head) []string {
	return []string{h.Precision, strconv.FormatInt(h.Revision, 10), h.AsOf.Format(time.RFC3339Nano), h.Catalogue, h.Registry, h.Rule}
}

func writePoolsCSV(w io.Writer, doc *capacity.Pools) {
	out := csv.NewWriter(w)
	header := append([]string{}, nameColumns...)
	for _, p := range catalog.Precisions() {
		header = append(header, "peak_tflops_"+string(p))
	}
	for _, c := range figureColumns {
		header = append(header, c.name)
	}
	header = append(header, "slice_units_free", "cores_free")
	for n := range capacity.MaxFree + 1 {
		header = append(header, "free_hosts_"+strconv.Itoa(n))
	}
	_ = out.Write(append(header, headColumns...)) // the writer keeps an error until Flush
	for i := range doc.Pools {
		p := &doc.Pools[i]
		row := nameRow(&p.PoolName)
		for _, precision := range catalog.Precisions() {
			peak := ""
			if v, ok := p.PeakTflops[string(precision)]; ok {
				peak = number(&v)
			}
			row = append(row, peak)
		}
		g := capacity.Group{Figure: p.Figure}
		for _, c := range figureColumns {
			row = append(row, c.of(&g))
		}
		row = append(row, strconv.FormatInt(p.SliceUnitsFree, 10), strconv.FormatInt(p.CoresFree, 10))
		for _, n := range p.FreeHosts {
			row = append(row, strconv.FormatInt(n, 10))
		}
		_ = out.Write(append(row, headRow(&doc.Head)...))
	}
	out.Flush()
}
