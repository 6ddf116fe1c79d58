package httpfeed

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	"github.com/pb33f/libopenapi-validator/errors"
	"github.com/pb33f/libopenapi-validator/schema_validation"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"

	"github.com/exameter/exameter/collector/feed/streamfeed"
)

// endless are the paths whose answers do not end, and which tests of their own read.
var endless = []string{"/v1/stream"}

// contract is the document as it is served, and what holds answers against it. Validation is strict: an answer's field that
// the document does not have is an error, although clients must expect fields of later versions.
type contract struct {
	v, lenient validator.Validator
	schemas    schema_validation.SchemaValidator
	model      *v3.Document
}

// complete answers every path.
func complete(t *testing.T, ready bool) http.Handler {
	t.Helper()
	return (&lister{page: somePage()}).handler(t, ready)
}

func served(t *testing.T, h http.Handler) *contract {
	t.Helper()
	w := get(h, "GET", "/v1/openapi.json")
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("/v1/openapi.json: %d, headers %v", w.Code, w.Header())
	}
	doc, err := libopenapi.NewDocument(w.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	lenient, errs := validator.NewValidator(doc, config.WithFormatAssertions())
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	v, errs := validator.NewValidator(doc, config.WithFormatAssertions(), config.WithStrictMode(),
		config.WithStrictIgnorePaths("$.headers.**", "$.body.request.**"))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if ok, errs := v.ValidateDocument(); !ok {
		t.Fatalf("the document is not OpenAPI 3.1: %s", told(errs))
	}
	model, err := doc.BuildV3Model()
	if err != nil {
		t.Fatal(err)
	}
	return &contract{v, lenient, schema_validation.NewSchemaValidator(), &model.Model}
}

func told(errs []*errors.ValidationError) string {
	var out []string
	for _, e := range errs {
		out = append(out, e.Message+": "+e.Reason)
		for _, s := range e.SchemaValidationErrors {
			out = append(out, "  "+s.FieldPath+": "+s.Reason)
		}
	}
	return strings.Join(out, "\n")
}

// holds holds an answer against the document, and returns it.
func (c *contract) holds(t *testing.T, h http.Handler, target string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	w := get(h, "GET", target, header...)
	r, v := httptest.NewRequest("GET", target, nil), c.v
	if r.URL.Path == "/v1/openapi.json" {
		v = c.lenient // it does not describe itself
	}
	if ok, errs := v.ValidateHttpResponse(r, w.Result()); !ok {
		t.Errorf("GET %s: the answer %d is not what the document says: %s\n%.2000s", target, w.Code, told(errs), w.Body)
	}
	return w
}

// admits says whether the document allows a request, and why not. It reads parameters itself and holds them against their
// schemas: the validator of whole requests looks neither at how many values a list has nor at their pattern.
func (c *contract) admits(target string) (bool, string) {
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return false, err.Error()
	}
	for name, values := range u.Query() {
		at := slices.IndexFunc(c.parameters(u.Path), func(p *v3.Parameter) bool { return p.Name == name && p.In == "query" })
		if at < 0 {
			return false, name + " is no parameter"
		}
		p := c.parameters(u.Path)[at]
		var value any = values[0]
		switch schema := p.Schema.Schema(); {
		case slices.Contains(schema.Type, "array"):
			if p.Explode != nil && !*p.Explode {
				values = strings.Split(strings.Join(values, ","), ",")
			}
			list := make([]any, len(values))
			for i, v := range values {
				list[i] = v
			}
			value = list
		case len(values) > 1:
			return false, name + " is given more than once"
		case !slices.Contains(schema.Type, "string"):
			if err := json.Unmarshal([]byte(values[0]), &value); err != nil {
				return false, name + ": " + err.Error()
			}
		}
		if ok, errs := c.schemas.ValidateSchemaObject(p.Schema.Schema(), value); !ok {
			return false, name + ": " + told(errs)
		}
	}
	return true, ""
}

func (c *contract) parameters(path string) []*v3.Parameter {
	return c.model.Paths.PathItems.GetOrZero(path).Get.Parameters
}

// TestEveryPathIsDocumented wants the paths of the mux and those of the document to be the same.
func TestEveryPathIsDocumented(t *testing.T) {
	h := complete(t, true)
	c := served(t, h)
	for _, path := range h.(*routed).paths {
		if path != "/" && !strings.HasPrefix(path, "/internal/") && c.model.Paths.PathItems.GetOrZero(path) == nil {
			t.Errorf("%s is answered and stands not in openapi.yaml", path)
		}
	}
	for path := range c.model.Paths.PathItems.KeysFromOldest() {
		if !slices.Contains(h.(*routed).paths, path) {
			t.Errorf("%s stands in openapi.yaml and is not answered", path)
		}
	}
}

// operations calls do with every operation that is answered and ends.
func (c *contract) operations(do func(path string, op *v3.Operation)) {
	for path, item := range c.model.Paths.PathItems.FromOldest() {
		if !slices.Contains(endless, path) {
			do(path, item.Get)
		}
	}
}

// TestEveryOperation asks for every operation: alone and with the example of each of its parameters, and with what it does
// not take. What the document allows is answered, and all answers are as it says.
func TestEveryOperation(t *testing.T) {
	h, waiting := complete(t, true), complete(t, false)
	c := served(t, h)
	asked := 0
	c.operations(func(path string, op *v3.Operation) {
		asked++
		alone := path
		if path == "/v1/match" {
			alone = "/v1/match?count=8" // one of three parameters is wanted
		}
		if w := c.holds(t, h, alone); w.Code != 200 {
			t.Errorf("GET %s: %d %s", alone, w.Code, w.Body)
		}
		c.holds(t, waiting, alone)
		if strings.HasPrefix(path, "/v1/") {
			if w := c.holds(t, h, alone+map[bool]string{false: "?", true: "&"}[strings.Contains(alone, "?")]+"colour=red"); w.Code != 400 {
				t.Errorf("GET %s?colour=red: %d, want 400", path, w.Code)
			}
		}
		for _, p := range op.Parameters {
			if p.Name == "If-None-Match" {
				if w := c.holds(t, h, alone, "If-None-Match", "*"); w.Code != 304 {
					t.Errorf("GET %s with If-None-Match: %d, want 304", alone, w.Code)
				}
			}
			if p.In != "query" || p.Example == nil {
				continue
			}
			q := url.Values{}
			if path == "/v1/match" && p.Name != "count" {
				q.Set("count", "8")
			}
			if p.Example.Content == nil {
				q.Set(p.Name, p.Example.Value)
			}
			for _, n := range p.Example.Content {
				q.Add(p.Name, n.Value)
			}
			if p.Explode != nil && !*p.Explode {
				q.Set(p.Name, strings.Join(q[p.Name], ","))
			}
			target := path + "?" + q.Encode()
			if ok, why := c.admits(target); !ok {
				t.Errorf("GET %s: the document does not allow its own example: %s", target, why)
			}
			if w := c.holds(t, h, target); w.Code != 200 {
				t.Errorf("GET %s: %d %s", target, w.Code, w.Body)
			}
		}
	})
	if asked < 10 {
		t.Errorf("%d operations were asked for", asked)
	}
}

// TestDocumentRefusesWhatTheCollectorRefuses holds the bounds of parameters: what one side takes the other takes.
func TestDocumentRefusesWhatTheCollectorRefuses(t *testing.T) {
	h := complete(t, true)
	c := served(t, h)
	long := strings.Repeat("a", 63)
	for _, tc := range []struct {
		query string
		fine  bool
	}{
		{"by=centre", true},
		{"by=pool,domestic", true},
		{"by=colour", false},
		{"precision=fp16", true},
		{"precision=fp12", false},
		{"precision=FP16", false},
		{"kind=cpu", true},
		{"kind=gpu", false},
		{"centre=" + long, true},
		{"centre=" + long + "a", false},
		{"centre=-a", false},
		{"centre=a-", false},
		{"centre=a&centre=b-c", true},
		{"cluster=A", false},
		{"class=super", true},
		{"class=fast", false},
		{"class=super&class=general", true},
		{"domestic=unknown", true},
		{"domestic=maybe", false},
		{"format=csv", true},
		{"format=xml", false},
		{many("vendor", 64), true},
		{many("vendor", 65), false},
	} {
		for _, path := range []string{"/v1/capacity", "/v1/pools", "/v1/hosts", "/v1/explain"} {
			if path != "/v1/capacity" && strings.HasPrefix(tc.query, "by=") || path != "/v1/pools" && path != "/v1/capacity" && strings.HasPrefix(tc.query, "format=") {
				continue
			}
			target := path + "?" + tc.query
			w := c.holds(t, h, target)
			if (w.Code == 200) != tc.fine || !tc.fine && w.Code != 400 {
				t.Errorf("GET %.100s: %d %s", target, w.Code, w.Body)
			}
			if ok, why := c.admits(target); ok != tc.fine {
				t.Errorf("GET %.100s: the document says %v, the collector %d: %s", target, ok, w.Code, why)
			}
		}
	}
}

// many gives a parameter with so many values.
func many(name string, n int) string {
	q := url.Values{}
	for i := range n {
		q.Add(name, fmt.Sprint("v", i))
	}
	return q.Encode()
}

// TestDocumentOfSingleQuestions holds bounds of parameters that one question alone has.
func TestDocumentOfSingleQuestions(t *testing.T) {
	h := complete(t, true)
	c := served(t, h)
	for target, fine := range map[string]bool{
		"/v1/match?count=512&per_host=8&memory_gib=64&max_age_s=30&order=spread&limit=1000&prefer_centre=a&exclude_cluster=b": true,
		"/v1/match?hosts=4&per_host=8&kind=cpu":      false, // a contradiction, which a schema cannot tell
		"/v1/match?count=0":                          false,
		"/v1/match?count=-8":                         false,
		"/v1/match?count=1000000001":                 false,
		"/v1/match?count=99999999999999999999":       false,
		"/v1/match?count=8&per_host=65537":           false,
		"/v1/match?hosts=10000001":                   false,
		"/v1/hosts?host=" + strings.Repeat("a", 255): true,
		"/v1/hosts?host=" + strings.Repeat("a", 256): false,
		"/v1/match?count=8&limit=1001":               false,
		"/v1/match?eflops=0":                         false,
		"/v1/match?eflops=1e3":                       false,
		"/v1/match?eflops=0.5":                       true,
		"/v1/match?count=8&memory_gib=-1":            false,
		"/v1/match?count=8&max_age_s=86401":          false,
		"/v1/match?count=8&order=best":               false,
		"/v1/match?count=8&kind=all":                 false,
		"/v1/match?count=8&exclude_centre=A":         false,
		"/v1/match?count=8&format=json":              true,
		"/v1/pools?sort=size":                        false,
		"/v1/pools?sort=eflops&limit=1000":           true,
		"/v1/pools?limit=0":                          false,
		"/v1/pools?limit=1001":                       false,
		"/v1/hosts?state=idle":                       false,
		"/v1/hosts?state=faulty&state=stale":         true,
		"/v1/hosts?online=perhaps":                   false,
		"/v1/hosts?online=false&free_min=8":          true,
		"/v1/hosts?free_min=0":                       false,
		"/v1/hosts?limit=1001":                       false,
		"/v1/hosts?sort=name":                        false,
		"/v1/hosts?host=":                            false,
		"/v1/hosts?name=" + strings.Repeat("n", 300): false,
		"/v1/explain?hosts=100":                      true,
		"/v1/explain?hosts=101":                      false,
	} {
		w := c.holds(t, h, target)
		if (w.Code == 200) != fine || !fine && w.Code != 400 {
			t.Errorf("GET %.120s: %d %.300s", target, w.Code, w.Body)
		}
		if ok, why := c.admits(target); ok != fine && !strings.Contains(target, "kind=cpu") && !strings.Contains(target, "1e3") {
			t.Errorf("GET %.120s: the document says %v, the collector %d: %s", target, ok, w.Code, why)
		}
	}
}

// TestContractCanFail shows that the validator sees what is wrong: a field more, one less, one of another type, a status more.
func TestContractCanFail(t *testing.T) {
	c := served(t, handler(t, province(), true))
	body := get(handler(t, province(), true), "GET", "/v1/capacity").Body.String()
	for name, tc := range map[string]struct {
		status int
		body   string
	}{
		"a field more":    {200, strings.Replace(body, `"revision"`, `"colour":"red","revision"`, 1)},
		"a field less":    {200, strings.Replace(body, `"kind"`, `"sort"`, 1)},
		"another type":    {200, strings.Replace(body, `"revision":41`, `"revision":"41"`, 1)},
		"deep inside":     {200, strings.Replace(body, `"rated":`, `"rated":-`, 1)},
		"a status more":   {402, body},
		"not JSON at all": {200, "<html>"},
	} {
		w := httptest.NewRecorder()
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(tc.status)
		_, _ = w.WriteString(tc.body)
		if tc.body == body && tc.status == 200 {
			t.Fatalf("%s: nothing was changed", name)
		}
		if ok, _ := c.v.ValidateHttpResponse(httptest.NewRequest("GET", "/v1/capacity", nil), w.Result()); ok {
			t.Errorf("%s passes", name)
		}
	}
}

// TestStreamKeepsTheContract holds a snapshot and the delta after it against the document, and refuses what it refuses.
func TestStreamKeepsTheContract(t *testing.T) {
	c := served(t, complete(t, true))
	s := stream(t, streamfeed.Options{}, freed(41, 5))
	in := s.open("?by=centre,model&kind=all&precision=fp16")
	for _, want := range []struct{ kind, schema string }{{"snapshot", "Capacity"}, {"delta", "Delta"}} {
		id, kind, data := event(t, in)
		var value map[string]any
		if err := json.Unmarshal([]byte(data), &value); err != nil || kind != want.kind || id == "" {
			t.Fatalf("event %q %q, %v: %.200s", id, kind, err, data)
		}
		schema := c.model.Components.Schemas.GetOrZero(want.schema).Schema()
		if ok, errs := c.schemas.ValidateSchemaObject(schema, value); !ok {
			t.Errorf("%s: %s\n%s", kind, told(errs), data)
		}
		delete(value, "total")
		if ok, _ := c.schemas.ValidateSchemaObject(schema, value); ok {
			t.Errorf("%s: passes without its total", kind)
		}
		s.publish(freed(42, 6))
	}
	for target, fine := range map[string]bool{"?last_event_id=41": true, "?last_event_id=41-cut": true, "?last_event_id=x": false, "?format=csv": false, "?by=rack": false} {
		if ok, why := c.admits("/v1/stream" + target); ok != fine {
			t.Errorf("%s: the document says %v: %s", target, ok, why)
		}
		if resp := s.request(target); (resp.StatusCode == 200) != fine || !fine && resp.StatusCode != 400 {
			t.Errorf("%s: %s", target, resp.Status)
		}
	}
}
