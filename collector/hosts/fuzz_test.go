package hosts

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/exameter/exameter/telemetry"
)

// FuzzReadRequest reads any question of another collector. What is accepted is bounded, and is the same question when it is asked again.
func FuzzReadRequest(f *testing.F) {
	for _, text := range []string{
		"", "{}", `{"schema":1,"parts":{"a":[0,1]},"query":{}}`, `{"schema":1,"parts":{"A B":[0]},"query":{}}`, `{"schema":1,"query":{"limit":-1}}`, `{"schema":1,"query":{"sort":"free","after":{}}}`,
		`{"schema":1,"unknown":1}`, `{"schema":1,"query":{"states":["free","free"]}}`, `null`, `{"schema":1,"parts":{"a":[-1]},"query":{"host":"\u0000"}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		req, err := ReadRequest(bytes.NewReader(b))
		if err != nil {
			return
		}
		for centre := range req.Parts {
			if telemetry.ValidID(centre) != nil {
				t.Errorf("%q: centre %q is accepted", b, centre)
			}
		}
		if req.Query.Limit < 1 || req.Query.Limit > MaxLimit {
			t.Errorf("%q: limit %d is accepted", b, req.Query.Limit)
		}
		text, err := json.Marshal(req)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ReadRequest(bytes.NewReader(text))
		if err != nil {
			t.Fatalf("%q was accepted, and not when asked again as %q: %v", b, text, err)
		}
		if second, err := json.Marshal(again); err != nil || !bytes.Equal(text, second) {
			t.Errorf("%q becomes %q and then %q: %v", b, text, second, err)
		}
	})
}
