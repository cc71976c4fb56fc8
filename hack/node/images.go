// Copyright The Latchkey Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

func newImageCommand(open func() (*node, error)) *cobra.Command {
	command := &cobra.Command{
		Use:   "image",
		Short: "Makes an image and imports it into the node, or writes it to a file",
	}
	var output string
	command.PersistentFlags().StringVar(&output, "output", "", "write the image to this file instead, for `ctr images import`")
	// deliver does with an image what the flags say.
	deliver := func(cmd *cobra.Command, i image) error {
		n, err := open()
		if err != nil {
			return err
		}
		if output != "" {
			return writeImage(output, i)
		}
		if _, err := os.Stat(n.socket()); err != nil {
			return fmt.Errorf("the node is not up: run `go run ./hack/node up`, or pass --output: %w", err)
		}
		return n.importImage(cmd.Context(), i)
	}
	busybox := &cobra.Command{
		Use:   "busybox",
		Short: "An image with a shell and small programs, named " + busyboxImage,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			content, links, err := readBusybox(cmd.Context())
			if err != nil {
				return err
			}
			return deliver(cmd, newBusyboxImage(content, links))
		},
	}
	var name, user string
	program := &cobra.Command{
		Use:   "program FILE",
		Short: "An image with one static program and nothing else",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if name == "" {
				name = "localhost/" + filepath.Base(args[0]) + ":e2e"
			}
			i, err := newProgramImage(name, args[0], user)
			if err != nil {
				return err
			}
			return deliver(cmd, i)
		},
	}
	program.Flags().StringVar(&name, "name", "", "name and tag of the image (default: localhost/FILE:e2e)")
	program.Flags().StringVar(&user, "user", "65532:65532", "user and group that the program runs as")
	command.AddCommand(busybox, program)
	return command
}

// importBaseImages imports what every pod needs, and what tests run.
func (n *node) importBaseImages(ctx context.Context) error {
	content, links, err := readBusybox(ctx)
	if err != nil {
		return err
	}
	for _, i := range []image{newPauseImage(content), newBusyboxImage(content, links)} {
		if err := n.importImage(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// readBusybox reads the busybox of this machine, and by which names it can be called.
func readBusybox(ctx context.Context) (content []byte, links []string, err error) {
	if err := checkBusybox(); err != nil {
		return nil, nil, err
	}
	path, err := exec.LookPath("busybox")
	if err != nil {
		return nil, nil, err
	}
	if content, err = os.ReadFile(path); err != nil {
		return nil, nil, err
	}
	list, err := run(ctx, path, "--list")
	return content, strings.Fields(list), err
}

func (n *node) importImage(ctx context.Context, i image) error {
	return n.Step(ctx, "image "+i.name, func(ctx context.Context) (string, error) {
		file := n.dir("image.tar")
		if err := writeImage(file, i); err != nil {
			return "", err
		}
		_, err := n.ctr(ctx, "images", "import", file)
		return "imported", errors.Join(err, os.Remove(file))
	})
}

func writeImage(path string, i image) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	if err := errors.Join(i.write(file), file.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}
