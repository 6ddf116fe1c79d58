package packages

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestScriptsWithoutSystemd runs what package managers run where systemd cannot be talked to, as in a container that has its directories: no
// package fails for that. They run in a file system of their own, with a systemctl that fails, and with nothing in place of the rest.
func TestScriptsWithoutSystemd(t *testing.T) {
	bin := t.TempDir()
	for name, content := range map[string]string{"systemctl": "echo $* >>$CALLED; exit 1", "systemd-sysusers": "", "systemd-tmpfiles": "exit 1", "dpkg-statoverride": ""} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+content+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	scripts, err := filepath.Glob("../../packaging/scripts/*/*")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts (%v)", err)
	}
	for _, path := range scripts {
		kind, script := filepath.Split(strings.TrimPrefix(path, "../../packaging/scripts/"))
		var calls [][]string
		for when, args := range map[string][][]string{
			"deb/postinst": {{"configure", ""}, {"configure", "0.9"}}, "deb/prerm": {{"remove"}, {"upgrade", "2.0"}}, "deb/postrm": {{"remove"}, {"upgrade", "2.0"}},
			"rpm/post": {{"1"}, {"2"}}, "rpm/preun": {{"0"}, {"1"}}, "rpm/postun": {{"0"}, {"1"}},
		} {
			if when == kind+script {
				calls = args
			}
		}
		if calls == nil && kind+script != "rpm/pre" { // which makes the user, and has to fail where it cannot
			t.Errorf("%s is not run", path)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		run := filepath.Join(t.TempDir(), script)
		if err := os.WriteFile(run, []byte(strings.ReplaceAll(string(content), "@NAME@", "exameter-agent")), 0o755); err != nil {
			t.Fatal(err)
		}
		called := filepath.Join(t.TempDir(), "called")
		for _, args := range calls {
			output(t, "unshare", append([]string{
				"--user", "--map-root-user", "--mount", "sh", "-ec",
				`mount -t tmpfs none /run; mkdir -p /run/systemd/system; PATH=$1:$PATH CALLED=$2; export PATH CALLED; shift 2; exec sh "$@"`, "sh", bin, called, run,
			}, args...)...)
		}
		if b, _ := os.ReadFile(called); calls != nil && len(b) == 0 {
			t.Errorf("%s called no systemctl: that is no test", path)
		}
	}
}
