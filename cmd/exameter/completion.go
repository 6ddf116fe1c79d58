package main

import (
	"github.com/spf13/cobra"
)

func completionCommand() *cobra.Command {
	shells := []string{"bash", "zsh", "fish"}
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print what makes a shell complete commands, flags and their values",
		Long: `Print a script that makes bash, zsh or fish complete commands, flags and the values of flags: models and vendors from the
catalogue, centres from a collector.`,
		Example: `  source <(exameter completion bash)
  exameter completion zsh > "${fpath[1]}/_exameter"
  exameter completion fish > ~/.config/fish/completions/exameter.fish`,
		Args: takes(1, 1), ValidArgs: shells,
		RunE: func(cmd *cobra.Command, args []string) error {
			root, out := cmd.Root(), cmd.OutOrStdout()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(out, true)
			case "zsh":
				return root.GenZshCompletion(out)
			case "fish":
				return root.GenFishCompletion(out, true)
			}
			return misused(cmd, "%q is not one of bash, zsh, fish", args[0])
		},
	}
}
