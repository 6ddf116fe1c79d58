package process

import (
	"context"
	"fmt"
	"os/exec"
)

// Build builds programs of cmd/ into a folder, for tests of any folder of the module. They say that they are of the version.
func Build(ctx context.Context, dir, version string, programs ...string) error {
	args := []string{"build", "-buildvcs=false", "-ldflags", "-X main.version=" + version, "-o", dir + "/"}
	for _, p := range programs {
		args = append(args, "github.com/exameter/exameter/cmd/"+p)
	}
	if out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	return nil
}
