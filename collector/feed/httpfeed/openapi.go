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

// description is that of the API, for programs.
var description = sync.OnceValue(func() *answer {
	b, err := yaml.YAMLToJSON(openapiYAML)
	if err != nil {
		panic(fmt.Sprintf("openapi.yaml: %v", err)) // it is part of the program
	}
	return &answer{kind: "application/json", body: b}
})

// openapi answers GET /v1/openapi.json.
func openapi(w http.ResponseWriter, r *http.Request) {
	if r.URL.RawQuery != "" {
		refuse(w, &badParameter{"query", errors.New("this document takes no parameters")})
		return
	}
	w.Header().Set("Cache-Control", "no-cache")
	description().write(w, r)
}
