package packages

import (
	"debug/buildinfo"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestProgramsRunOnOldSystems looks at what the programs ask of the system's C library: nothing newer than glibc 2.17, of
// CentOS 7, and the collector nothing at all.
func TestProgramsRunOnOldSystems(t *testing.T) {
	for _, name := range names {
		f, err := elf.Open(filepath.Join(unpacked(t, name), "usr/bin", name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if name == "exameter-collector" {
			if f.Section(".interp") != nil || f.Section(".dynamic") != nil {
				t.Errorf("%s is not static", name)
			}
			continue
		}
		symbols, err := f.DynamicSymbols()
		if err != nil {
			t.Fatal(err)
		}
		var versioned, nvml int
		for _, s := range symbols {
			number, ok := strings.CutPrefix(s.Version, "GLIBC_")
			switch {
			case ok && newer(t, number):
				t.Errorf("%s: %s needs glibc %s", name, s.Name, number)
			case ok:
				versioned++
			case s.Section == elf.SHN_UNDEF && strings.HasPrefix(s.Name, "nvml"):
				nvml++
			}
		}
		if versioned == 0 || nvml < 100 {
			t.Errorf("%s imports %d symbols of glibc and %d of NVML: is it built with cgo?", name, versioned, nvml)
		}
		libraries, err := f.ImportedLibraries()
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range libraries {
			if !slices.Contains([]string{"libc.so.6", "libdl.so.2", "libpthread.so.0", "libresolv.so.2"}, l) {
				t.Errorf("%s needs %s, which not every system has", name, l)
			}
		}
		// Bound at once, NVML's functions would be missed before its library is loaded.
		for _, tag := range []elf.DynTag{elf.DT_FLAGS, elf.DT_FLAGS_1, elf.DT_BIND_NOW} {
			values, _ := f.DynValue(tag)
			if len(values) > 0 && (tag == elf.DT_BIND_NOW || values[0]&uint64(elf.DF_BIND_NOW|1) != 0) {
				t.Errorf("%s binds all symbols at start (%v %v)", name, tag, values)
			}
		}
	}
}

// newer reports whether a version of glibc is newer than 2.17.
func newer(t *testing.T, version string) bool {
	t.Helper()
	parts := strings.Split(version, ".")
	minor, err := strconv.Atoi(parts[1])
	if err != nil {
		t.Fatalf("version %q: %v", version, err)
	}
	return parts[0] != "2" || minor > 17
}

// TestAgentReadsCards runs the agent of the package beside a driver: it loads the library and reads the cards, also where the
// library is so old that it lacks functions.
func TestAgentReadsCards(t *testing.T) {
	agent := filepath.Join(unpacked(t, "exameter-agent"), "usr/bin/exameter-agent")
	for _, library := range []string{"sim", "sim-old"} {
		path, err := filepath.Abs("../nvmlsim/libnvidia-ml-" + library + ".so")
		if err != nil {
			t.Fatal(err)
		}
		config := filepath.Join(t.TempDir(), "agent.yaml")
		content := fmt.Sprintf("centre: lab\nkafka: {brokers: [\"127.0.0.1:9\"]}\nsources: {nvml: {enabled: true, library: %s}}\n", path)
		if err := os.WriteFile(config, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), agent, "sample", "--config", config)
		cmd.Env = append(os.Environ(), "EXAMETER_NVMLSIM=../nvmlsim/scenarios/h200-mixed.conf")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", library, err, out)
		}
		if cards := strings.Count(string(out), "\nexameter_inventory_device,"); cards != 8 {
			t.Errorf("%s: %d cards, want 8:\n%s", library, cards, out)
		}
	}
}

// TestVersions holds what the programs say of themselves against what the packages say.
func TestVersions(t *testing.T) {
	for _, name := range names {
		said := output(t, filepath.Join(unpacked(t, name), "usr/bin", name), "version")
		if f := strings.Fields(said); len(f) < 2 || f[0] != name || f[1] != version {
			t.Errorf("%s says %q, want version %s", name, said, version)
		}
		// A tilde, so that a release candidate sorts before its release.
		if have := output(t, "dpkg-deb", "--field", find(t, built, name, "deb"), "Version"); have != "1.2.0~rc1+5.gabcdef0-1\n" {
			t.Errorf("%s.deb has version %q", name, have)
		}
		if have := output(t, "rpm", "--query", "--package", "--nosignature", "--queryformat", "%{VERSION}-%{RELEASE}", find(t, built, name, "rpm")); have != "1.2.0~rc1+5.gabcdef0-1" {
			t.Errorf("%s.rpm has version %q", name, have)
		}
	}
}

// TestLicences wants the terms of every module that is in a program beside it.
func TestLicences(t *testing.T) {
	for _, name := range names {
		dir := unpacked(t, name)
		info, err := buildinfo.ReadFile(filepath.Join(dir, "usr/bin", name))
		if err != nil {
			t.Fatal(err)
		}
		terms := output(t, "gzip", "-dc", filepath.Join(dir, "usr/share/doc", name, "licences.gz"))
		if len(info.Deps) == 0 {
			t.Errorf("%s does not say what it is made of", name)
		}
		for _, m := range info.Deps {
			_, text, found := strings.Cut(terms, "\n"+m.Path+" "+m.Version+"\n\n")
			if !found || len(strings.TrimSpace(text)) < 500 {
				t.Errorf("%s: the terms of %s %s are missing", name, m.Path, m.Version)
			}
		}
	}
}
