// Package console is the page that the collector shows to people: files that are part of the program, and the headers that they go out
// with. Everything on the page comes from the HTTP API; see docs/console.md.
package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"time"
)

// Prefix is the path below which the page's own files are. The page itself is at the root, from where it reaches them and the API by relative
// addresses, so that it works below a path of a reverse proxy as well.
const Prefix = "/console/"

//go:embed page
var embedded embed.FS

// types are those of the page's files, so that nothing of it depends on the machine's list of types.
var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// headers go with every file. Nothing from elsewhere is loaded, run or asked, nobody may frame the page, and no text can become markup.
var headers = map[string]string{
	"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
	"X-Content-Type-Options":       "nosniff",
	"Referrer-Policy":              "no-referrer",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Cache-Control":                "no-cache", // a copy is asked for again by its tag, so that page and program are of one version
}

type file struct {
	content   []byte
	kind, tag string
}

// Page answers GET and HEAD for the page and its files.
type Page struct {
	files   map[string]file // by path
	missing http.Handler
}

// New returns the page. missing answers for paths below Prefix at which there is nothing.
func New(missing http.Handler) *Page {
	p := &Page{files: map[string]file{}, missing: missing}
	err := fs.WalkDir(embedded, "page", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := embedded.ReadFile(name)
		if err != nil {
			return err
		}
		kind := types[path.Ext(name)]
		if kind == "" {
			return fmt.Errorf("%s is of no known type", name)
		}
		sum := sha256.Sum256(content)
		at := Prefix + path.Base(name)
		if path.Base(name) == "index.html" {
			at = "/"
		}
		p.files[at] = file{content, kind, `"` + hex.EncodeToString(sum[:8]) + `"`}
		return nil
	})
	if err != nil {
		panic(fmt.Sprintf("the console's files: %v", err)) // they are part of the program
	}
	return p
}

// ServeHTTP implements http.Handler.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, found := p.files[r.URL.Path]
	if !found {
		p.missing.ServeHTTP(w, r)
		return
	}
	for name, value := range headers {
		w.Header().Set(name, value)
	}
	w.Header().Set("Content-Type", f.kind)
	w.Header().Set("ETag", f.tag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.content))
}
