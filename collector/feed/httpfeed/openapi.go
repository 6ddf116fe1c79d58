package httpfeed

import (
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/goccy/go-yaml"
)

//go:embed openapi.yaml
var openapiYAML []byte

// openapiJSON is the description of the API, for programs.
var openapiJSON = sync.OnceValue(func() []byte {
	b, err := yaml.YAMLToJSON(openapiYAML)
	if err != nil {
		panic(fmt.Sprintf("openapi.yaml: %v", err)) // it is part of the program
	}
	return b
})

// openapi answers GET /v1/openapi.json.
func openapi(w http.ResponseWriter, r *http.Request) {
	if r.URL.RawQuery != "" {
		refuse(w, &badParameter{"query", errors.New("this document takes no parameters")})
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(openapiJSON())
}
