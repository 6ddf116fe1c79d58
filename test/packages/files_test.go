package packages

import (
	"archive/tar"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the list of files anew")

// TestFiles compares what the packages install, with modes, owners and which are configuration, with a list: what stands
// there is what operators and their tools rely on.
func TestFiles(t *testing.T) {
	const golden = "testdata/files.txt"
	var b strings.Builder
	for _, name := range names {
		for _, format := range []string{"deb", "rpm"} {
			fmt.Fprintf(&b, "%s.%s\n", name, format)
			files := deb
			if format == "rpm" {
				files = rpm
			}
			list := files(t, find(t, built, name, format))
			slices.SortFunc(list, func(a, b string) int { return strings.Compare(a[strings.Index(a, "/"):], b[strings.Index(b, "/"):]) })
			for _, file := range list {
				b.WriteString("  " + file + "\n")
			}
		}
	}
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), b.String()); d != "" {
		t.Errorf("the files are not those of %s (-want +got); go test ./test/packages -run TestFiles -update writes it:\n%s", golden, d)
	}
}

// TestUnpacked wants names in an rpm's archive that stay below the directory where somebody unpacks it with cpio.
func TestUnpacked(t *testing.T) {
	const header = `070701[0-9a-f]{104}`
	for _, name := range names {
		path := find(t, built, name, "rpm")
		// Its exit status says that the archive's size is another than nfpm wrote down, for whatever nfpm makes.
		archive, err := exec.CommandContext(t.Context(), "rpm2cpio", path).Output()
		if !bytes.Contains(archive, []byte("TRAILER!!!")) {
			t.Fatalf("rpm2cpio %s: %v", path, err)
		}
		files := len(strings.Fields(output(t, "rpm", "--query", "--list", "--package", "--nosignature", path)))
		if n := len(regexp.MustCompile(header+`\./`).FindAll(archive, -1)); n != files {
			t.Errorf("%s: %d of %d names begin with a dot", name, n, files)
		}
		if found := regexp.MustCompile(header + `/[^\x00]*`).Find(archive); found != nil {
			t.Errorf("%s: %s", name, found)
		}
		// What rpm itself makes of sizes and digests.
		output(t, "rpm", "--checksig", "--nosignature", path)
	}
}

// deb lists the files of a Debian package. Directories that belong to the system are left out.
func deb(t *testing.T, path string) []string {
	t.Helper()
	conffiles := strings.Fields(control(t, path, "conffiles"))
	var list []string
	tarball(t, path, "--fsys-tarfile", func(h *tar.Header, _ io.Reader) {
		file := strings.TrimSuffix(strings.TrimPrefix(h.Name, "."), "/")
		if h.Typeflag == tar.TypeDir && file != "/etc/exameter" {
			return
		}
		kind := "file"
		switch {
		case h.Typeflag == tar.TypeDir:
			kind = "directory"
		case slices.Contains(conffiles, file):
			kind = "configuration"
		}
		list = append(list, fmt.Sprintf("%04o %s:%s %s %s", h.Mode, h.Uname, h.Gname, kind, file))
	})
	return list
}

// rpm lists the files of an RPM package in the same way.
func rpm(t *testing.T, path string) []string {
	t.Helper()
	var list []string
	out := output(t, "rpm", "--query", "--package", "--nosignature", "--queryformat",
		"[%{FILEMODES:octal} %{FILEUSERNAME}:%{FILEGROUPNAME} %{FILEFLAGS:fflags}| %{FILENAMES}\n]", path)
	for l := range strings.Lines(out) {
		f := strings.Fields(l)
		kind, mode := "file", f[0][len(f[0])-4:]
		switch {
		case strings.HasPrefix(f[0], "04") || strings.HasPrefix(f[0], "4"):
			kind = "directory"
		case f[2] == "cn|":
			kind = "configuration"
		case f[2] == "d|" || f[2] == "l|":
			kind = "document"
		}
		list = append(list, fmt.Sprintf("%s %s %s %s", mode, f[1], kind, f[len(f)-1]))
	}
	return list
}

// control returns a file of a Debian package's control archive, and nothing where there is none.
func control(t *testing.T, path, name string) string {
	t.Helper()
	var content string
	tarball(t, path, "--ctrl-tarfile", func(h *tar.Header, r io.Reader) {
		if strings.TrimPrefix(h.Name, "./") == name {
			b, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			content = string(b)
		}
	})
	return content
}

// tarball walks one of the two archives that a Debian package is made of.
func tarball(t *testing.T, path, which string, visit func(*tar.Header, io.Reader)) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "dpkg-deb", which, path)
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := tar.NewReader(pipe)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("read %s: %v", path, err)
		}
		visit(h, r)
	}
	if _, err := io.Copy(io.Discard, pipe); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
}
