// Package dashboards holds what dashboards/ has against real parts: the dashboards against the types that Grafana publishes, and every query of
// them, of the recording rules and of the alerts against a real Prometheus that scrapes real collectors of a simulated province.
package dashboards

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/exameter/exameter/test/process"
)

const cache = "../../.cache/grafana"

// TestSchema has the TypeScript compiler hold every dashboard against the types of each supported release of Grafana.
func TestSchema(t *testing.T) {
	files, err := filepath.Glob("../../dashboards/grafana/*/*.json")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d dashboards, %v", len(files), err)
	}
	texts := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts[filepath.Base(filepath.Dir(file))+"-"+strings.TrimSuffix(filepath.Base(file), ".json")] = string(text)
	}
	for _, release := range []string{"11", "12", "13"} {
		t.Run("Grafana "+release, func(t *testing.T) {
			t.Parallel()
			if said, ok := compile(t, release, texts); !ok {
				t.Errorf("a dashboard is not what Grafana %s says:\n%.4000s", release, said)
			}
		})
	}
	// The check can fail.
	t.Run("broken", func(t *testing.T) {
		t.Parallel()
		broken := map[string]string{}
		for what, change := range map[string][2]string{
			"option": {`"background_solid"`, `"rainbow"`}, "key": {`"gridPos"`, `"gridPosition"`}, "field": {`"showPoints"`, `"showDots"`},
		} {
			broken[what] = strings.Replace(texts["en-province"], change[0], change[1], 1)
		}
		said, ok := compile(t, "12", broken)
		for what := range broken {
			if ok || !strings.Contains(said, what+".ts(") {
				t.Errorf("a wrong %s passes:\n%.2000s", what, said)
			}
		}
	})
}

// compile holds dashboards against one release's types.
func compile(t *testing.T, release string, boards map[string]string) (said string, ok bool) {
	t.Helper()
	schema, compiler := filepath.Join(cache, "schema-"+release), filepath.Join(cache, "typescript/node_modules/typescript/lib/tsc.js")
	for _, needed := range []string{schema, compiler} {
		if _, err := os.Stat(needed); err != nil {
			t.Fatalf("no %s: run `make grafana` first", needed)
		}
	}
	compiler, err := filepath.Abs(compiler)
	if err != nil {
		t.Fatal(err)
	}
	// The compiler looks for packages above the file that asks for them.
	dir, err := os.MkdirTemp(schema, "check-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	types, err := os.ReadFile("board.ts")
	if err != nil {
		t.Fatal(err)
	}
	args := []string{compiler, "--noEmit", "--strict", "--skipLibCheck", "--module", "esnext", "--moduleResolution", "bundler", "--target", "es2022"}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("board.ts", string(types))
	for name, text := range boards {
		write(name+".ts", "import type { Board } from './board';\nexport const board: Board = "+text)
		args = append(args, name+".ts")
	}
	cmd := process.Command(t.Context(), "node", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}
