package telemetry

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestRandomReports sends random reports that keep the rules.
func TestRandomReports(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { travels(t, reports, drawReport(t, tame), canonicalReport, true) })
}

// TestRandomInventories sends random inventories that keep the rules.
func TestRandomInventories(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { travels(t, inventories, drawInventory(t, tame), canonicalInventory, true) })
}

// TestWildReports gives the encoder random reports that keep no rule.
func TestWildReports(t *testing.T) { rapid.Check(t, wildReport) }

// TestWildInventories gives the encoder random inventories that keep no rule.
func TestWildInventories(t *testing.T) { rapid.Check(t, wildInventory) }

func wildReport(t *rapid.T) {
	travels(t, reports, drawReport(t, wild), canonicalReport, false)
}

func wildInventory(t *rapid.T) {
	travels(t, inventories, drawInventory(t, wild), canonicalInventory, false)
}

// FuzzEncodeReport lets the fuzzer choose the random reports.
func FuzzEncodeReport(f *testing.F) { f.Fuzz(rapid.MakeFuzz(wildReport)) }

// FuzzEncodeInventory lets the fuzzer choose the random inventories.
func FuzzEncodeInventory(f *testing.F) { f.Fuzz(rapid.MakeFuzz(wildInventory)) }

// travels says that a record which is written is read as it was, and that any line-protocol reader can read it. One
// that keeps the rules must be written; another may be refused.
func travels[T any](t *rapid.T, k kind[T], r *T, canonical func(*T) *T, must bool) {
	var e Encoder
	b, err := k.encode(&e, nil, r)
	if err != nil {
		if _, ok := err.(*Error); must || !ok || len(b) > 0 {
			t.Fatalf("encode: %v, %d bytes\n%+v", err, len(b), r)
		}
		return
	}
	var got T
	if err := k.decode(new(Decoder), b, &got); err != nil {
		t.Fatalf("decode: %v\n%s", err, b)
	}
	if diff := cmp.Diff(canonical(r), &got); diff != "" {
		t.Fatalf("read record differs (-want +got):\n%s\n%s", diff, b)
	}
	again, err := k.encode(&e, nil, &got)
	if err != nil || !bytes.Equal(again, b) {
		t.Fatalf("encoded again: %v\n%s\nwas\n%s", err, again, b)
	}
	if err := sameLines(b); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
}

// temper says whether random values keep the rules.
type temper bool

const (
	tame temper = true
	wild temper = false
)

// name draws a name, or something else when wild.
func (m temper) name(t *rapid.T, label string) string {
	s := rapid.StringN(1, 40, MaxName).Draw(t, label)
	if m == wild && rapid.IntRange(0, 9).Draw(t, label+" spoiled") == 0 {
		return string(rapid.SliceOfN(rapid.Byte(), 0, 2*MaxName).Draw(t, label+" bytes"))
	}
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || !utf8.ValidRune(r) {
			return 'c'
		}
		return r
	}, s)
	return strings.TrimRight(s, `\`) + "n"
}

// text draws a text, tame or not: the encoder makes any string into one.
func (m temper) text(t *rapid.T, label string) string {
	if m == wild && rapid.IntRange(0, 9).Draw(t, label+" long") == 0 {
		return string(rapid.SliceOfN(rapid.Byte(), 0, 3*MaxText).Draw(t, label+" bytes"))
	}
	return rapid.String().Draw(t, label)
}

// number draws an integer from lo to hi, or any when wild.
func (m temper) number(t *rapid.T, label string, lo, hi int64) int64 {
	if m == wild && rapid.IntRange(0, 19).Draw(t, label+" spoiled") == 0 {
		return rapid.Int64().Draw(t, label)
	}
	return rapid.Int64Range(lo, hi).Draw(t, label)
}

// part fills the tagged fields of the struct at p.
func (m temper) part(t *rapid.T, p any) {
	for _, f := range fieldsOf(p) {
		if !f.required && !rapid.Bool().Draw(t, f.name+" known") {
			continue
		}
		switch f.value.Interface().(type) {
		case State:
			states := []State{Free, Busy, Drained, Faulty}
			if m == wild {
				states = append(states, "", "stale")
			}
			f.value.SetString(string(rapid.SampledFrom(states).Draw(t, f.name)))
		case string:
			if f.text {
				f.value.SetString(m.text(t, f.name))
			} else {
				f.value.SetString(m.name(t, f.name))
			}
		case bool:
			f.value.SetBool(rapid.Bool().Draw(t, f.name))
		case Opt[bool]:
			f.value.Set(reflect.ValueOf(Known(rapid.Bool().Draw(t, f.name))))
		default:
			f.value.FieldByName("Value").SetInt(m.number(t, f.name, f.lo, f.hi))
			f.value.FieldByName("OK").SetBool(m == tame || rapid.IntRange(0, 9).Draw(t, f.name+" OK") > 0)
		}
	}
}

// id draws a name that is no other line's, or may be when wild.
func (m temper) id(t *rapid.T, label string, i int) string {
	if m == wild && rapid.IntRange(0, 9).Draw(t, label+" spoiled") == 0 {
		return "one"
	}
	return fmt.Sprint(i, " ", m.name(t, label))
}

func (m temper) header(t *rapid.T) Header {
	id := rapid.StringMatching(`[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?`)
	return Header{
		Origin: Origin{
			Centre:  id.Draw(t, "centre"),
			Cluster: id.Draw(t, "cluster"),
			Host:    m.name(t, "host"),
		},
		Time: time.Unix(0, m.number(t, "time", minTime.UnixNano(), maxTime.UnixNano()-1)),
		Boot: m.name(t, "boot"),
		Seq:  m.number(t, "seq", 1, 1<<62),
	}
}

func drawReport(t *rapid.T, m temper) *Report {
	r := &Report{Header: m.header(t)}
	m.part(t, &r.HostStatus)
	if r.CPU.OK = rapid.Bool().Draw(t, "cpu"); r.CPU.OK {
		m.part(t, &r.CPU.Value)
		m.share(&r.CPU.Value.CoresBusy, r.CPU.Value.Cores)
	}
	if r.Memory.OK = rapid.Bool().Draw(t, "memory"); r.Memory.OK {
		m.part(t, &r.Memory.Value)
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "domains") {
		r.Power = append(r.Power, PowerStatus{Domain: m.id(t, "domain", i)})
		m.part(t, &r.Power[i])
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "devices") {
		r.Devices = append(r.Devices, DeviceStatus{ID: m.id(t, "device", i)})
		m.part(t, &r.Devices[i])
		m.share(&r.Devices[i].SlicesBusy, r.Devices[i].Slices)
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "sources") {
		r.Sources = append(r.Sources, SourceStatus{Source: m.id(t, "source", i)})
		m.part(t, &r.Sources[i])
	}
	return r
}

func drawInventory(t *rapid.T, m temper) *Inventory {
	inv := &Inventory{Header: m.header(t)}
	m.part(t, &inv.HostInfo)
	if inv.CPU.OK = rapid.Bool().Draw(t, "cpu"); inv.CPU.OK {
		m.part(t, &inv.CPU.Value)
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "devices") {
		inv.Devices = append(inv.Devices, DeviceInfo{ID: m.id(t, "device", i)})
		m.part(t, &inv.Devices[i])
		if m == tame {
			inv.Devices[i].Index = Known(int64(i))
		}
	}
	return inv
}

// share makes a part no more than its whole.
func (m temper) share(part *Opt[int64], whole Opt[int64]) {
	if m == tame && whole.OK {
		part.Value = min(part.Value, whole.Value)
	}
}
