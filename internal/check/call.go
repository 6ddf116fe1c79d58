package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// Call is what a program was told when it was asked to check: what to look at, and how to say what was found.
type Call struct {
	areas, only []string
	format      string
}

// Flags gives a command the flags of a check, which can look at the areas.
func Flags(c *cobra.Command, areas ...string) *Call {
	call := &Call{areas: areas}
	c.Flags().StringSliceVar(&call.only, "only", nil, "look at these alone: "+strings.Join(areas, ", "))
	c.Flags().StringVarP(&call.format, "output", "o", "text", "text, or json for machines")
	return call
}

// Validate reports what is wrong with the flags.
func (c *Call) Validate() error {
	for _, a := range c.only {
		if !slices.Contains(c.areas, a) {
			return fmt.Errorf("--only %s: not one of %s", a, strings.Join(c.areas, ", "))
		}
	}
	if c.format != "text" && c.format != "json" {
		return fmt.Errorf("--output %s: not one of text, json", c.format)
	}
	return nil
}

// Wanted reports whether an area is to be looked at.
func (c *Call) Wanted(area string) bool { return len(c.only) == 0 || slices.Contains(c.only, area) }

// JSON reports whether a machine reads what is found.
func (c *Call) JSON() bool { return c.format == "json" }
