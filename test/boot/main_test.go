// Package boot starts a Debian, in a container whose first process is systemd, and does with the packages what an operator does: installs,
// configures, starts, reloads, drains, upgrades and purges. Units, sandbox and limits are those that the packages bring.
package boot

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/exameter/exameter/internal/localbroker"
)

// brokerAt is the variable by which this program, started once more within the machine, is told to be the Kafka there.
const brokerAt = "EXAMETER_BOOT_BROKER"

func TestMain(m *testing.M) {
	addr := os.Getenv(brokerAt)
	if addr == "" {
		os.Exit(m.Run())
	}
	b, err := localbroker.Start(localbroker.Options{Addr: addr})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM)
	<-end
	_ = b.Close()
}
