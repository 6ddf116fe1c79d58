// Package kernelfiletest holds machines to test against: what their /proc, /sys and /etc say, as far as the agent reads
// it. Each is one text file in the folder machines.
package kernelfiletest

import (
	"embed"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

//go:embed machines
var machines embed.FS

// Machines lists the machines by name.
func Machines(tb testing.TB) []string {
	tb.Helper()
	entries, err := machines.ReadDir("machines")
	if err != nil {
		tb.Fatal(err)
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".txt"))
	}
	return names
}

// Machine writes one of the machines into a folder that ends with the test and returns the folder, with proc, sys and
// etc in it.
func Machine(tb testing.TB, name string) string {
	tb.Helper()
	text, err := machines.ReadFile(path.Join("machines", name+".txt"))
	if err != nil {
		tb.Fatal(err)
	}
	return Tree(tb, name, string(text))
}

// Tree writes the machine that a text describes, as Machine does, for packages with machines of their own.
//
// A line "path = value" is a file of one line, and "path -> target" a symbolic link; the lines after "-- path --", as far
// as the next "-- end --", are a file of several. Lines that begin with # outside of such a file are comments.
func Tree(tb testing.TB, name, text string) string {
	tb.Helper()
	root := tb.TempDir()
	for _, dir := range []string{"proc", "sys", "etc"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			tb.Fatal(err)
		}
	}
	var file string
	var content strings.Builder
	for line := range strings.Lines(text) {
		bare := strings.TrimSuffix(line, "\n")
		switch {
		case file != "" && bare == "-- end --":
			Write(tb, root, file, content.String())
			content.Reset()
			file = ""
		case file != "":
			content.WriteString(line)
		case bare == "", strings.HasPrefix(bare, "#"):
		case strings.HasPrefix(bare, "-- ") && strings.HasSuffix(bare, " --"):
			file = bare[3 : len(bare)-3]
		default:
			if p, target, ok := strings.Cut(bare, " -> "); ok {
				link(tb, root, p, target)
				continue
			}
			p, value, ok := strings.Cut(bare, " = ")
			if !ok {
				tb.Fatalf("machine %s: line %q is neither a file nor a link nor a comment", name, bare)
			}
			Write(tb, root, p, value+"\n")
		}
	}
	if file != "" {
		tb.Fatalf("machine %s: file %s has no end", name, file)
	}
	return root
}

// link makes one symbolic link below root.
func link(tb testing.TB, root, name, target string) {
	tb.Helper()
	p := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.Symlink(target, p); err != nil {
		tb.Fatal(err)
	}
}

// Write writes one file below root, in place of the one there.
func Write(tb testing.TB, root, name, content string) {
	tb.Helper()
	p := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(content), 0o644); err != nil {
		tb.Fatal(err)
	}
}

// Large writes a machine of two sockets with SMT and returns its folder: many threads, and an interrupt line in
// /proc/stat as long as theirs is.
func Large(tb testing.TB, threads int) string {
	tb.Helper()
	root := Machine(tb, "xeon")
	var cpuinfo, stat strings.Builder
	stat.WriteString("cpu  1000 0 1000 100000 50 0 10 0 0 0\n")
	flags := strings.Repeat(" vmx", 300) + " avx avx2 fma avx512f"
	for n := range threads {
		core := n % (threads / 2)
		fmt.Fprintf(&stat, "cpu%d 10 0 10 1000 5 0 1 0 0 0\n", n)
		fmt.Fprintf(&cpuinfo, "processor\t: %d\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 106\n"+
			"model name\t: Large\nstepping\t: 6\nphysical id\t: %d\ncore id\t\t: %d\nflags\t\t:%s\n\n", n, core%2, core/2, flags)
		dir := fmt.Sprintf("sys/devices/system/cpu/cpu%d", n)
		Write(tb, root, dir+"/topology/core_id", fmt.Sprintln(core/2))
		Write(tb, root, dir+"/topology/physical_package_id", fmt.Sprintln(core%2))
		Write(tb, root, dir+"/topology/die_id", "0\n")
		Write(tb, root, dir+"/topology/core_siblings_list", strings.Repeat("0,", 60)+"\n") // long, and nothing reads it
		Write(tb, root, dir+"/topology/thread_siblings_list", fmt.Sprintf("%d,%d\n", core, core+threads/2))
		Write(tb, root, dir+"/cpufreq/cpuinfo_max_freq", "3200000\n")
	}
	stat.WriteString("intr 1" + strings.Repeat(" 0", 100_000) + "\n")
	Write(tb, root, "proc/stat", stat.String())
	Write(tb, root, "proc/cpuinfo", cpuinfo.String())
	Write(tb, root, "sys/devices/system/cpu/online", fmt.Sprintf("0-%d\n", threads-1))
	return root
}
