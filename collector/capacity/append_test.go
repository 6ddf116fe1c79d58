package capacity

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/exameter/exameter/catalog"
)

// TestAppendJSON holds the document's own writer to encoding/json, whatever names and numbers there are.
func TestAppendJSON(t *testing.T) {
	check := func(t interface{ Fatalf(string, ...any) }, d *Document) {
		var want bytes.Buffer
		e := json.NewEncoder(&want)
		e.SetEscapeHTML(false)
		if err := e.Encode(d); err != nil {
			t.Fatalf("%v", err)
		}
		if got := string(d.AppendJSON([]byte("x"))); got != "x"+string(bytes.TrimSpace(want.Bytes())) {
			t.Fatalf("got\n%s\nwant\n%s", got[1:], want.String())
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := drawSnapshot(t)
		s.Catalogue, s.Registry = rapid.String().Draw(t, "catalogue"), rapid.String().Draw(t, "registry")
		for i := range s.Pools {
			s.Pools[i].Pool.Identifier = rapid.StringOf(rapid.RuneFrom([]rune("<>&\"\\/\x00\x1f\x7f\u2028贵a '"))).Draw(t, "identifier")
			s.Pools[i].Pool.Model = string(rapid.SliceOf(rapid.Byte()).Draw(t, "model")) // which may be no UTF-8
		}
		d, err := s.Document(Query{By: rapid.SliceOfDistinct(rapid.SampledFrom(allDimensions), rapid.ID[Dimension]).Draw(t, "by"), Kind: KindAll, Precision: rapid.SampledFrom(catalog.Precisions()).Draw(t, "precision")})
		if err != nil {
			t.Fatal(err)
		}
		d.Total.PowerW, d.Total.Utilisation = rapid.Float64().Draw(t, "power"), new(rapid.Float64().Draw(t, "utilisation"))
		check(t, d)
	})
	check(t, &Document{})
	// Every field differs from nothing, so that one that comes later and is forgotten shows.
	full := &Document{By: []string{"centre"}, Groups: []Group{{}}}
	fill(reflect.ValueOf(full).Elem(), new(int64))
	check(t, full)
}

// fill gives every number and text within v a value of its own.
func fill(v reflect.Value, next *int64) {
	*next++
	switch v.Kind() {
	case reflect.Int, reflect.Int64:
		v.SetInt(*next)
	case reflect.Float64:
		v.SetFloat(float64(*next) + 0.5)
	case reflect.String:
		v.SetString(string(rune('A' + *next%26)))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), next)
	case reflect.Slice:
		for i := range v.Len() {
			fill(v.Index(i), next)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i), next)
			}
		}
	}
}
