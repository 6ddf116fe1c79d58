// Exameter is the command for people: it asks collectors, makes topics, looks models up, and runs a whole province, or a
// small real one, in one process.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// version is set by the build.
var version = "dev"

// oneSignal is how long signals count as one: timeout(1) sends its own to the program and then to the whole group. One that comes later ends the
// program at once.
const oneSignal = time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, func() {
		time.Sleep(oneSignal)
		stop()
	})
	os.Exit(code(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr), os.Stderr))
}

// run is the program. What it returns says what went wrong, and usageError that the command line did.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	root := rootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return root.ExecuteContext(ctx)
}

// code prints an error, which may have the words of whoever answered, and turns it into the program's exit status: 0 fine, 1 failed, 2 usage.
func code(err error, stderr io.Writer) int {
	var usage *usageError
	say := func() { fmt.Fprintf(stderr, "exameter: %s\n", printableLines(err.Error())) }
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage):
		say()
		if usage.command != "" {
			fmt.Fprintf(stderr, "Run '%s --help' for usage.\n", usage.command)
		}
		return 2
	case errors.Is(err, errSaid):
		return 1
	default:
		say()
		return 1
	}
}
