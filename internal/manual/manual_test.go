package manual

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

var update = flag.Bool("update", false, "write the manual pages anew")

// TestDocs holds the pages of configuration files against the files.
func TestDocs(t *testing.T) {
	for _, f := range []struct {
		name, file, short string
		see               []string
	}{
		{"exameter-agent.yaml", "agent.yaml", "Configuration of the Exameter agent", []string{"exameter-agent(8)"}},
		{"exameter-collector.yaml", "collector.yaml", "Configuration of the Exameter collector", []string{"exameter-collector(8)", "exameter-registry.yaml(5)"}},
		{"exameter-registry.yaml", "registry.yaml", "Centres that an Exameter collector knows", []string{"exameter-collector(8)", "exameter-collector.yaml(5)"}},
	} {
		content, err := os.ReadFile(filepath.Join("../../packaging/config", f.file))
		if err != nil {
			t.Fatal(err)
		}
		page := File(f.name, "/etc/exameter/"+f.file, f.short, string(content), f.see...)
		if err := Hold(filepath.Join("../../packaging/man", f.name+".5"), page, *update); err != nil {
			t.Error(err)
		}
	}
}

func TestProgram(t *testing.T) {
	root := &cobra.Command{Use: "meter", Short: "Measures", Long: "Measures things.\n\n  meter one\n.two 'three'"}
	do := &cobra.Command{Use: "run WHAT", Short: `Run a\b`, Example: "  meter run -x", Run: func(*cobra.Command, []string) {}}
	do.Flags().IntP("count", "n", 3, "how `many`")
	do.Flags().Bool("hidden", false, "not shown")
	_ = do.Flags().MarkHidden("hidden")
	root.AddCommand(do, &cobra.Command{Use: "secret", Hidden: true, Run: func(*cobra.Command, []string) {}})
	root.PersistentFlags().String("config", "", "the file")
	got := Page{Section: 8, Terms: []Terms{{"FILES", [][2]string{{"/etc/x", "What there is."}}}}, See: []string{"a(1)", "b(5)"}}.Program(root)
	for _, want := range []string{
		".TH \"METER\" 8 \"@DATE@\" \"Exameter @VERSION@\"", ".SH NAME\nmeter \\- measures\n", ".nf\n  meter one\n\\&.two \\(aqthree\\(aq\n.fi\n",
		".SS \"meter run WHAT [flags]\"\nRun a\\eb.\n", "\\fB\\-n\\fR, \\fB\\-\\-count\\fR \\fImany\\fR\nhow many (default 3)\n", ".nf\n  meter run \\-x\n.fi\n",
		".SH OPTIONS\nEvery command takes these.\n.TP\n\\fB\\-\\-config\\fR \\fIstring\\fR\nthe file\n", ".SH \"EXIT STATUS\"\n", ".SH \"FILES\"\n.TP\n.B /etc/x\nWhat there is.\n",
		".SH SEE ALSO\n.BR a (1),\n.BR b (5)\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the page has no %q:\n%s", want, got)
		}
	}
	for _, not := range []string{"hidden", "secret", "help"} {
		if strings.Contains(got, not) {
			t.Errorf("the page mentions %s:\n%s", not, got)
		}
	}
}
