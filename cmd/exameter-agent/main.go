// Command exameter-agent reports what its host can compute, and what of it is free.
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

	"github.com/exameter/exameter/agent"
	"github.com/exameter/exameter/internal/check"
)

// version is set by the build.
var version = "dev"

// defaultPath is the configuration file of an installed agent.
const defaultPath = "/etc/exameter/agent.yaml"

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
	var wrong *misuse
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errSaid):
		return 1
	case !p.called:
		fmt.Fprintf(p.stderr, "exameter-agent: %v\nSee exameter-agent --help.\n", err)
		return 2
	}
	fmt.Fprintf(p.stderr, "exameter-agent: %v\n", err)
	if errors.As(err, &wrong) {
		return 2
	}
	return 1
}

// errSaid ends a command whose output says already what is wrong.
var errSaid = errors.New("failed")

// misuse is an error in what the program was given: arguments or configuration.
type misuse struct{ error }

func (m *misuse) Unwrap() error { return m.error }

// program is one call of the command.
type program struct {
	stdout, stderr io.Writer
	path           string // of the configuration
	called         bool   // the command line was understood

	process check.Process // what a check may do with the process; nothing in tests, whose process goes on
}

func (p *program) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "exameter-agent",
		Short: "Reports what this host can compute, and what of it is free",
		Long: "exameter-agent reads the accelerators, processors, memory and power of this host every second, decides what each\n" +
			"device is doing and reports it to the Kafka of its centre: every ten seconds, and at once when a device changes.",
		SilenceUsage: true, SilenceErrors: true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.PersistentFlags().StringVarP(&p.path, "config", "c", "", "configuration file (default "+defaultPath+" where it exists)")
	root.AddCommand(p.runCommand(), p.checkCommand(), p.sampleCommand(), p.drainCommand(), p.undrainCommand(), p.forgetCommand(), p.versionCommand())
	return root
}

func (p *program) versionCommand() *cobra.Command {
	return &cobra.Command{Use: "version", Short: "Print the version", Args: cobra.NoArgs, RunE: p.do(func(context.Context, []string) error {
		_, err := fmt.Fprintf(p.stdout, "exameter-agent %s %s %s/%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return err
	})}
}

// do makes what a command does; once it runs, the command line was understood.
func (p *program) do(f func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		p.called = true
		return f(c.Context(), args)
	}
}

// config reads the configuration. Without --config, and without a file in the default place, found is false.
func (p *program) config() (c agent.Config, found bool, err error) {
	path := p.path
	if path == "" {
		if _, err := os.Stat(defaultPath); errors.Is(err, fs.ErrNotExist) {
			return agent.DefaultConfig(), false, nil
		}
		path = defaultPath
	}
	p.path = path
	if c, err = agent.LoadConfig(path); err != nil {
		return c, true, &misuse{err}
	}
	return c, true, nil
}
