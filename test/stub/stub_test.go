package stub_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"

	"github.com/exameter/exameter/test/stub"
)

// TestStubKeepsTheContract holds every answer of the stub against the API's document, strictly: a stub that answers otherwise
// than a collector would make tests pass that users see fail.
func TestStubKeepsTheContract(t *testing.T) {
	doc, err := libopenapi.NewDocument(stub.Document())
	if err != nil {
		t.Fatal(err)
	}
	v, errs := validator.NewValidator(doc, config.WithFormatAssertions(), config.WithStrictMode(), config.WithStrictIgnorePaths("$.headers.**", "$.body.request.**"))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	c := stub.New()
	for _, target := range []string{
		"/v1/capacity", "/v1/capacity?by=centre,model", "/v1/capacity?by=pool&vendor=huawei", "/v1/capacity?centre=nowhere",
		"/v1/pools", "/v1/pools?sort=free&limit=2", "/v1/match?count=512&per_host=8", "/v1/match?count=512&per_host=8&domestic=no", "/v1/match?hosts=2&per_host=4&model=nothing",
		"/v1/hosts", "/v1/centres", "/v1/history", "/v1/explain",
	} {
		r := httptest.NewRequest(http.MethodGet, target, nil)
		w := httptest.NewRecorder()
		c.ServeHTTP(w, r)
		if ok, errs := v.ValidateHttpResponse(r, w.Result()); !ok {
			for _, e := range errs {
				t.Errorf("%s: %s: %s", target, e.Message, e.Reason)
				for _, s := range e.SchemaValidationErrors {
					t.Errorf("  %s: %s", s.FieldPath, s.Reason)
				}
			}
		}
	}
	if got := c.Undocumented(); len(got) > 0 {
		t.Error(got)
	}
	c.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/v1/pools?colour=red", nil))
	if got := c.Undocumented(); !slices.Equal(got, []string{"/v1/pools?colour=red: no parameter colour"}) {
		t.Error(got)
	}
}
