// Command exameter-collector follows all centres' topics and answers for the province's capacity.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/exameter/exameter/collector"
	"github.com/exameter/exameter/internal/check"
	"github.com/exameter/exameter/internal/config"
)

// version is set by the build.
var version = "dev"

// defaultPath is the configuration file of an installed collector.
const defaultPath = "/etc/exameter/collector.yaml"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	p := &program{stdout: os.Stdout, stderr: os.Stderr, process: check.Here}
	code := p.call(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// run is the program: it returns 0 when all is well, 1 when something failed, 2 when it was called or configured
// wrongly.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return (&program{stdout: stdout, stderr: stderr}).call(ctx, args)
}

func (p *program) call(ctx context.Context, args []string) int {
	root := p.command()
	root.SetArgs(args)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case !p.called:
		fmt.Fprintf(p.stderr, "exameter-collector: %v\nSee exameter-collector --help.\n", err)
		return 2
	case errors.Is(err, errSaid):
		return 1
	}
	fmt.Fprintf(p.stderr, "exameter-collector: %v\n", err)
	var wrong *misuse
	if errors.As(err, &wrong) {
		return 2
	}
	return 1
}

// misuse is an error in what the program was given.
type misuse struct{ error }

func (m *misuse) Unwrap() error { return m.error }

// errSaid ends a command whose output says already what is wrong.
var errSaid = errors.New("failed")

// program is one call of the command.
type program struct {
	stdout, stderr io.Writer
	path           string
	called         bool // the command line was understood

	process check.Process // what a check may do with the process; nothing in tests, whose process goes on
}

func (p *program) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "exameter-collector",
		Short: "Follows all centres' topics and answers for the province's capacity",
		Long: "exameter-collector reads what the agents of all centres report through Kafka, keeps the last state of every host and\n" +
			"answers over HTTP what the province has: rated, online, healthy, busy and free, in devices and in Eflops.",
		SilenceUsage: true, SilenceErrors: true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.PersistentFlags().StringVarP(&p.path, "config", "c", "", "configuration file (default "+defaultPath+" where it exists)")
	add := func(use, short, long string, do func(context.Context) error) {
		root.AddCommand(&cobra.Command{Use: use, Short: short, Long: long, Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
			p.called = true
			return do(c.Context())
		}})
	}
	add("run", "Collect until stopped; SIGHUP reads the registry and the catalogue anew",
		"Collects until it is stopped by SIGTERM or SIGINT. SIGHUP reads the registry and the catalogue anew; a file that cannot\n"+
			"be read leaves everything as it is.", p.run)
	root.AddCommand(p.checkCommand())
	add("version", "Print the version", "", func(context.Context) error {
		fmt.Fprintf(p.stdout, "exameter-collector %s %s %s/%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return nil
	})
	return root
}

// config reads the configuration, and says where it came from.
func (p *program) config() (cfg collector.Config, from string, err error) {
	cfg = collector.DefaultConfig()
	path := p.path
	if path == "" {
		if _, err := os.Stat(defaultPath); errors.Is(err, fs.ErrNotExist) {
			return cfg, "built-in defaults", nil
		}
		path = defaultPath
	}
	if err := config.Load(path, &cfg); err != nil {
		return cfg, path, &misuse{err}
	}
	return cfg, path, nil
}
