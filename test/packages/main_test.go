// Package packages reads the packages that are built for operators, and runs the programs in them.
package packages

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// built is where the packages of this commit are, made for this processor; see TestMain.
var built string

// version and epoch are given to every build here, so that what differs is not what git says.
const (
	version = "1.2.0-rc1+5.gabcdef0"
	epoch   = "1700000000"
)

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "exameter-packages-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	if built, err = build(ctx, filepath.Join(dir, "one"), "LC_ALL=C.UTF-8"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if out, err := exec.CommandContext(ctx, "make", "-C", "../nvmlsim").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "make nvmlsim: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// build makes the packages of the working tree from a copy of it in a directory of its own, and returns where they are.
func build(ctx context.Context, dir string, env ...string) (string, error) {
	root, err := filepath.Abs("../..")
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	// Tools and what was compiled before are shared.
	if err := os.Symlink(filepath.Join(root, ".cache"), filepath.Join(dir, ".cache")); err != nil {
		return "", err
	}
	const script = `umask "${MASK:-022}"
	git -C "$1" ls-files -z --cached --others --exclude-standard -- . ':!test' |
		(cd "$1" && xargs -0 ls -d 2>/dev/null) | tar -C "$1" -cf - -T - | tar -xf -
	packaging/package.sh "$2"`
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script, "bash", root, runtime.GOARCH)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "VERSION="+version, "SOURCE_DATE_EPOCH="+epoch), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the packages (make deps-package sets up what that needs): %w\n%s", err, out)
	}
	return filepath.Join(dir, "dist"), nil
}

// names are the packages.
var names = []string{"exameter", "exameter-agent", "exameter-collector"}

// find returns the one package of a name and a format.
func find(t *testing.T, dir, name, format string) string {
	t.Helper()
	between := map[string]string{"deb": "_", "rpm": "-"}[format]
	found, err := filepath.Glob(filepath.Join(dir, name+between+"[0-9]*."+format))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s has %d packages %s.%s, want one (%v)", dir, len(found), name, format, err)
	}
	return found[0]
}

// output runs a tool and returns what it prints.
func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// unpacked returns a directory with the files of the Debian package.
func unpacked(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	output(t, "dpkg-deb", "--extract", find(t, built, name, "deb"), dir)
	return dir
}
