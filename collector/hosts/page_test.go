package hosts

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/exameter/exameter/collector/capacity"
	"github.com/exameter/exameter/telemetry"
)

// answer lists the hosts that one collector has.
func answer(q *Query, rows []Row) *Reply {
	r := NewRanking(q)
	byKey := map[Key]Host{}
	for _, row := range rows {
		r.Enter(Place{Key: row.Key})
		byKey[row.Key] = row.Host
	}
	list, upto := r.List()
	reply := &Reply{Schema: Schema, Instance: "one", Rows: []Row{}, Upto: upto, Matching: r.Matching}
	for _, p := range list {
		reply.Rows = append(reply.Rows, Row{p.Key, byKey[p.Key]})
	}
	return reply
}

// TestPages spreads hosts over owners and reads them page by page through what they send each other: every host comes once, in order,
// whatever the order asked for and the size of a page.
func TestPages(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q, err := Query{
			Sort:  rapid.SampledFrom([]Order{ByPlace, ByFree, ByAge}).Draw(t, "sort"),
			Limit: rapid.IntRange(1, 7).Draw(t, "limit"),
		}.Normal()
		if err != nil {
			t.Fatal(err)
		}
		owners := make([][]Row, rapid.IntRange(1, 4).Draw(t, "owners"))
		var want []Key
		for i := range rapid.IntRange(0, 40).Draw(t, "hosts") {
			h := Host{Centre: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "centre"), Host: fmt.Sprint("h", i)}
			h.Devices = make([]Device, rapid.SampledFrom([]int{0, 8, MaxLines / 3}).Draw(t, "devices"))
			k := q.KeyOf(h.Centre, h.Host, 0, rapid.IntRange(0, 3).Draw(t, "free"), rapid.Int64Range(0, 3).Draw(t, "at"))
			n := rapid.IntRange(0, len(owners)-1).Draw(t, "owner")
			owners[n] = append(owners[n], Row{k, h})
			want = append(want, k)
		}
		slices.SortFunc(want, func(a, b Key) int { return a.Compare(&b) })
		var got []string
		for page := 0; ; page++ {
			if page > len(want) {
				t.Fatal("no end of pages")
			}
			var replies []*Reply
			for _, rows := range owners {
				replies = append(replies, carried(t, &q, answer(&q, rows)))
			}
			p := Merge(&q, replies)
			lines := 0
			for _, h := range p.Hosts {
				got = append(got, h.Centre+"/"+h.Host)
				lines += len(h.Devices)
			}
			if len(p.Hosts) > q.Limit || lines > MaxLines && len(p.Hosts) > 1 || p.Matching != int64(len(want)) {
				t.Fatalf("a page of %d hosts with %d devices, of %d", len(p.Hosts), lines, p.Matching)
			}
			if p.Next == nil {
				break
			}
			next := q.Cursor(p.Next)
			q.After = nil
			if err := q.Resume(next); err != nil {
				t.Fatal(err)
			}
		}
		if len(got) != len(want) {
			t.Fatalf("%d hosts of %d", len(got), len(want))
		}
		for i, k := range want {
			if got[i] != k.Centre+"/"+k.Host {
				t.Fatalf("%v, want %v", got, want)
			}
		}
	})
}

// carried is a reply as the collector that asked reads it.
func carried(t *rapid.T, q *Query, a *Reply) *Reply {
	slim := *a
	slim.Rows = slices.Clone(a.Rows)
	for i := range slim.Rows { // thousands of empty devices are slow to write
		slim.Rows[i].Host.Devices = nil
	}
	b, err := json.Marshal(&slim)
	if err != nil {
		t.Fatal(err)
	}
	back, err := ReadReply(strings.NewReader(string(b)), &Request{Schema: Schema, Parts: map[string][]int{"a": {0}, "b": {0}}, Query: *q})
	if err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	for i := range back.Rows {
		back.Rows[i].Host.Devices = a.Rows[i].Host.Devices
	}
	return back
}

// TestReadReply refuses what is no answer to the question.
func TestReadReply(t *testing.T) {
	q, err := Query{Limit: 2, Sort: ByFree, After: &Key{Free: 5, Centre: "a", Host: "h"}}.Normal()
	if err != nil {
		t.Fatal(err)
	}
	req := &Request{Schema: Schema, Parts: map[string][]int{"a": {0, 2}}, Query: q}
	row := func(free int, host string, part int) string {
		return fmt.Sprintf(`{"key":{"f":%d,"c":"a","h":%q,"p":%d},"host":{"centre":"a","host":%q}}`, free, host, part, host)
	}
	f := func(wrong, format string, args ...any) {
		t.Helper()
		_, err := ReadReply(strings.NewReader(fmt.Sprintf(format, args...)), req)
		if wrong == "" && err != nil || wrong != "" && (err == nil || !strings.Contains(err.Error(), wrong)) {
			t.Errorf("%.200s: %v, want %q", fmt.Sprintf(format, args...), err, wrong)
		}
	}
	f("", `{"schema":1,"rows":[%s,%s],"matching":2}`, row(4, "h", 0), row(3, "g", 2))
	f("", `{"schema":1,"rows":[%s],"matching":2,"upto":{"f":4,"c":"a","h":"h"}}`, row(4, "h", 0))
	f("", `{"schema":1,"upto":{"f":4,"c":"a","h":"h"}}`)
	f("EOF", ``)
	f("schema 2", `{"schema":2}`)
	f("3 rows", `{"schema":1,"rows":[%s,%s,%s],"matching":3}`, row(4, "h", 0), row(3, "g", 2), row(2, "g", 2))
	f("not to the question", `{"schema":1,"rows":[%s],"matching":0}`, row(4, "h", 0))
	f("row 0 is of", `{"schema":1,"rows":[%s],"matching":1}`, row(4, "h", 1))
	f("row 0 is out of order", `{"schema":1,"rows":[%s],"matching":1}`, row(6, "h", 0)) // before the page
	f("row 0 is out of order", `{"schema":1,"rows":[%s],"matching":1}`, row(5, "h", 0))
	f("row 1 is out of order", `{"schema":1,"rows":[%s,%s],"matching":2}`, row(3, "h", 0), row(4, "h", 0))
	f("complete up to no place", `{"schema":1,"rows":[%s],"matching":2,"upto":{"f":5,"c":"a","h":"i"}}`, row(4, "h", 0))
	f("complete up to no place", `{"schema":1,"upto":{"f":5,"c":"a","h":"h"}}`) // no page would ever follow
	f("was not asked for", `{"schema":1,"missing":[{"centre":"a","part":1}]}`)
	f("3 missing parts", `{"schema":1,"missing":[%s]}`, strings.Repeat(`{"centre":"a","part":0},`, 2)+`{"centre":"a","part":2}`)
	f("row 0 is of", `{"schema":1,"rows":[{"key":{"f":4,"c":"a","h":"h"},"host":{"centre":"a","host":"other"}}],"matching":1}`)
}

// TestReadRequest refuses questions that cannot be answered rightly.
func TestReadRequest(t *testing.T) {
	good, err := json.Marshal(Request{Schema: Schema, Parts: map[string][]int{"a": {0, 1}}, Query: Query{States: []string{"free"}}})
	if err != nil {
		t.Fatal(err)
	}
	req, err := ReadRequest(strings.NewReader(string(good)))
	if err != nil || req.Query.Limit != DefaultLimit || req.Query.Sort != ByPlace || req.Query.Pools.Kind != capacity.KindAccelerator {
		t.Errorf("%+v, %v", req, err)
	}
	for body, want := range map[string]string{
		``:                                               "EOF",
		`{"schema":2}`:                                   "schema 2",
		`{"schema":1,"query":{"colour":"red"}}`:          "colour", // a filter of a later version
		`{"schema":1,"parts":{"A B":[0]}}`:               "centre",
		`{"schema":1,"query":{"limit":1001}}`:            "limit 1001",
		`{"schema":1,"query":{"free_min":-1}}`:           "free_min -1",
		`{"schema":1,"query":{"sort":"size"}}`:           `"size" is not an order`,
		`{"schema":1,"query":{"states":["idle"]}}`:       `"idle" is not a state`,
		`{"schema":1,"query":{"after":{"f":1,"c":"a"}}}`: "is not a place",
		`{"schema":1,"query":{"pools":{"Kind":"gpu"}}}`:  `"gpu" is not a kind`,
		`{"schema":1,"parts":{"a":[` + strings.Repeat("0,", maxParts) + `0]}}`: "65537 parts",
	} {
		if _, err := ReadRequest(strings.NewReader(body)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: %v, want %q", body, err, want)
		}
	}
}

// FuzzResume holds what is taken for a cursor to what one is: a place of the list, that another page can begin at.
func FuzzResume(f *testing.F) {
	q, err := Query{Sort: ByFree, Host: "h"}.Normal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(q.Cursor(&Key{Free: 3, Centre: "guian", Host: "h-1", Part: 4}))
	f.Add("e30")
	f.Fuzz(func(t *testing.T, text string) {
		again := q
		if err := again.Resume(text); err != nil {
			if again.After != nil {
				t.Fatalf("%q was refused and taken", text)
			}
			return
		}
		k := *again.After
		if _, err := again.Normal(); err != nil {
			t.Fatalf("%q makes a question that is none: %v", text, err)
		}
		once := q
		if err := once.Resume(q.Cursor(&k)); err != nil || *once.After != k {
			t.Fatalf("%q: %+v, and again %+v, %v", text, k, once.After, err)
		}
	})
}

// FuzzReadReply holds answers that are taken to what Merge rests on.
func FuzzReadReply(f *testing.F) {
	q, err := Query{Limit: 3}.Normal()
	if err != nil {
		f.Fatal(err)
	}
	req := &Request{Schema: Schema, Parts: map[string][]int{"a": {0}}, Query: q}
	f.Add([]byte(`{"schema":1,"rows":[{"key":{"c":"a","h":"h"},"host":{"centre":"a","host":"h"}}],"matching":1,"upto":{"c":"a","h":"i"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := ReadReply(strings.NewReader(string(b)), req)
		if err != nil {
			return
		}
		p := Merge(&q, []*Reply{a})
		if len(p.Hosts) != len(a.Rows) || len(p.Hosts) > 3 || p.Next != a.Upto && len(a.Rows) < 2 {
			t.Fatalf("%d rows became %d hosts", len(a.Rows), len(p.Hosts))
		}
	})
}

// TestCursorOfAnyName goes on behind a host whose name is as long as one can be, of characters that JSON writes as six.
func TestCursorOfAnyName(t *testing.T) {
	q, err := Query{Sort: ByAge}.Normal()
	if err != nil {
		t.Fatal(err)
	}
	k := q.KeyOf(strings.Repeat("a", 63), strings.Repeat("<", telemetry.MaxName), math.MaxInt32, 0, math.MaxInt64)
	next := q
	if err := next.Resume(q.Cursor(&k)); err != nil {
		t.Fatalf("a cursor of %d characters: %v", len(q.Cursor(&k)), err)
	}
	if *next.After != k {
		t.Errorf("goes on behind %+v, want %+v", next.After, k)
	}
}
