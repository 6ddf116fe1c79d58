package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/exameter/exameter/collector/access"
)

// tokenFlags are the flags of exameter token new.
type tokenFlags struct {
	scopes  []string
	expires string
}

func tokenCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "token", Short: "Make bearer tokens for collectors' HTTP", Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(tokenNewCommand())
	return cmd
}

func tokenNewCommand() *cobra.Command {
	f := &tokenFlags{}
	cmd := &cobra.Command{
		Use:   "new NAME",
		Short: "Make a token, and its entry in collectors' list of access",
		Long: `Print a new token on standard error, once, and on standard output its entry for the file that http.access names in collectors'
configuration. The entry holds a hash: who reads it cannot use it. Collectors take a changed file over within two seconds.

The scope read lets ask everything that collectors answer; admin is for collectors among themselves, too.`,
		Example: `  exameter token new dispatch >> /etc/exameter/access.yaml
  exameter token new grafana --expires 2027-12-31`,
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	cmd.Flags().StringSliceVar(&f.scopes, "scope", []string{string(access.Read)}, "what it lets do: read, admin")
	cmd.Flags().StringVar(&f.expires, "expires", "", "last day, such as 2027-12-31; empty: it does not expire")
	return cmd
}

func (f *tokenFlags) run(cmd *cobra.Command, name string) error {
	scopes, err := access.ParseScopes(f.scopes)
	if err != nil {
		return misused(cmd, "--scope: %w", err)
	}
	if err := access.ValidExpiry(f.expires); err != nil {
		return misused(cmd, "--expires: %w", err)
	}
	token, entry := access.NewToken(name, scopes, f.expires)
	if err := (&access.List{Tokens: []access.Token{entry}}).Validate(); err != nil {
		return misused(cmd, "%w", err)
	}
	fmt.Fprintln(cmd.ErrOrStderr(), "the token, which is shown this once:")
	fmt.Fprintln(cmd.ErrOrStderr(), token)
	var text strings.Builder
	fmt.Fprintf(&text, "  - name: %q\n    sha256: %s\n    scopes: [", name, entry.SHA256)
	for i, s := range scopes {
		if i > 0 {
			text.WriteString(", ")
		}
		text.WriteString(string(s))
	}
	text.WriteString("]\n")
	if f.expires != "" {
		fmt.Fprintf(&text, "    expires: %q\n", f.expires)
	}
	if _, err := io.WriteString(cmd.OutOrStdout(), text.String()); err != nil {
		return fmt.Errorf("the token is worth nothing, as its entry could not be written: %w", err)
	}
	return nil
}
