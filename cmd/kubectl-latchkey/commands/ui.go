// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"io"

	"github.com/cli/browser"
	"github.com/spf13/cobra"

	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cli"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/cluster"
	"github.com/latchkey-dev/latchkey/cmd/kubectl-latchkey/ui"
)

func newUI(f *cli.Factory) *cobra.Command {
	var o ui.Options
	var noOpen bool
	cmd := &cobra.Command{
		Use:   "ui",
		Short: "Show secrets on a page in the browser",
		Long: "Serve a page on this machine alone and open it in the browser. It works with your own rights, and ends after 15 minutes without\n" +
			"use, after 8 hours, or with Ctrl-C. The address is printed; it can be opened once, within a minute.",
		Example: "  kubectl latchkey ui\n  kubectl latchkey ui -n alice --read-only",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Port < 0 || o.Port > 65535 {
				return cli.Usage("--port is 0 to 65535")
			}
			c, err := cluster.New(f)
			if err != nil {
				return err
			}
			if o.Namespace, _, err = f.Namespace(); err != nil {
				return err
			}
			o.System, o.Version = f.SystemNamespace, f.Version
			server, err := ui.Listen(cmd.Context(), c, o)
			if err != nil {
				return err
			}
			f.Printf("%s\n", server.Address())
			f.Notice("The address can be opened once, within a minute. Ctrl-C ends the page.")
			if !noOpen {
				browser.Stdout, browser.Stderr = io.Discard, io.Discard
				if browser.OpenURL(server.Address()) != nil {
					f.Notice("No browser could be opened: open the address yourself.")
				}
			}
			return server.Serve(cmd.Context())
		},
	}
	cmd.Flags().IntVar(&o.Port, "port", 0, "port on 127.0.0.1; 0 takes a free one")
	cmd.Flags().BoolVar(&noOpen, "no-open", false, "open no browser")
	cmd.Flags().BoolVar(&o.ReadOnly, "read-only", false, "refuse every change")
	return cmd
}
