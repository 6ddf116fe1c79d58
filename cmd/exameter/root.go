package main

import (
	"errors"
	"fmt"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
)

// errSaid ends a command with status 1 after it said on its output what is wrong.
var errSaid = errors.New("said already")

// usageError says that the command line is wrong.
type usageError struct {
	command string
	err     error
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// misused makes a usage error of a command.
func misused(cmd *cobra.Command, format string, args ...any) error {
	return &usageError{cmd.CommandPath(), fmt.Errorf(format, args...)}
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "exameter",
		Short: "Measure, in real time, the computing capacity that really exists and is really usable",
		Long: `exameter asks collectors for the capacity of data centres, in Eflops, with its evidence.

  exameter demo                          a whole province on this machine, this machine in it
  exameter standalone --data DIR --centre ID
                                         a first trial, or one small centre, without a Kafka of its own
  exameter capacity --by centre --watch  what a collector says
  exameter match --count 64 --per-host 8 where a job could start now`,
		SilenceUsage: true, SilenceErrors: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			hint := ""
			if s := cmd.SuggestionsFor(args[0]); len(s) > 0 {
				hint = "; did you mean " + strings.Join(s, " or ") + "?"
			}
			return misused(cmd, "unknown command %q%s", args[0], hint)
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SuggestionsMinimumDistance = 2
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return misused(cmd, "%w", err) })
	root.AddCommand(
		capacityCommand(), poolsCommand(), matchCommand(), hostsCommand(), centresCommand(), explainCommand(), historyCommand(),
		exportCommand(), catalogCommand(), topicsCommand(), tokenCommand(), retireCommand(), simulateCommand(), demoCommand(), standaloneCommand(), completionCommand(), versionCommand(),
	)
	return root
}

// takes allows between least and most arguments.
func takes(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) > most && most == 0:
			return misused(cmd, "unexpected argument %q", args[0])
		case len(args) > most:
			return misused(cmd, "%d arguments, want at most %d", len(args), most)
		case len(args) < least:
			return misused(cmd, "%d arguments, want at least %d", len(args), least)
		}
		return nil
	}
}

// oneOf is a flag's value out of a few.
type oneOf struct {
	value string
	want  []string
}

func (o *oneOf) String() string { return o.value }
func (o *oneOf) Type() string   { return strings.Join(o.want, "|") }

func (o *oneOf) Set(s string) error {
	for _, w := range o.want {
		if s == w {
			o.value = s
			return nil
		}
	}
	return fmt.Errorf("want one of %s", strings.Join(o.want, ", "))
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "exameter %s %s %s/%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
