package packages

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestScripts checks what package managers run as root with the shell, and with who knows the shell better than we do.
func TestScripts(t *testing.T) {
	dir := t.TempDir()
	var count int
	check := func(name, content string) {
		if strings.TrimSpace(content) == "" {
			return
		}
		count++
		if strings.Contains(content, "@NAME@") {
			t.Errorf("%s does not know the name of its package", name)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		output(t, "sh", "-n", path)
		output(t, "shellcheck", "--shell=sh", path)
	}
	for _, name := range names {
		for _, script := range []string{"preinst", "postinst", "prerm", "postrm"} {
			check(name+".deb."+script, control(t, find(t, built, name, "deb"), script))
		}
		for _, script := range []string{"PREIN", "POSTIN", "PREUN", "POSTUN"} {
			check(name+".rpm."+script, strings.Replace(output(t, "rpm", "--query", "--package", "--nosignature", "--queryformat", "%{"+script+"}", find(t, built, name, "rpm")), "(none)", "", 1))
		}
	}
	output(t, "bash", "-n", filepath.Join(unpacked(t, "exameter"), "usr/share/bash-completion/completions/exameter"))
	if count != 2*(3+4) {
		t.Errorf("%d scripts, want three in each deb with a service and four in each rpm", count)
	}
}

// TestLintian wants no error and no warning of Debian's own checker, other than what packaging/lintian gives a reason for.
func TestLintian(t *testing.T) {
	args := []string{"--fail-on", "error,warning", "--tag-display-limit", "0"}
	for _, name := range names {
		args = append(args, find(t, built, name, "deb"))
	}
	output(t, "lintian", args...)
}

// TestManuals wants pages that manual page readers have nothing to say about.
func TestManuals(t *testing.T) {
	for _, name := range names {
		pages, err := filepath.Glob(filepath.Join(unpacked(t, name), "usr/share/man/man*/*.gz"))
		if err != nil || len(pages) == 0 {
			t.Fatalf("%s has no manual pages (%v)", name, err)
		}
		for _, page := range pages {
			output(t, "mandoc", "-T", "lint", "-W", "warning", page)
		}
	}
}

// TestSameBytes builds the packages again, elsewhere, as another person might: the packages are the same.
func TestSameBytes(t *testing.T) {
	again, err := build(t.Context(), filepath.Join(t.TempDir(), "a longer way to", "another place"), "MASK=077", "TZ=Asia/Shanghai", "LC_ALL=C", "LANG=zh_CN.UTF-8")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		for _, format := range []string{"deb", "rpm"} {
			one, err := os.ReadFile(find(t, built, name, format))
			if err != nil {
				t.Fatal(err)
			}
			two, err := os.ReadFile(find(t, again, name, format))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(one, two) {
				t.Errorf("%s.%s has other bytes when it is built again", name, format)
			}
		}
	}
}
